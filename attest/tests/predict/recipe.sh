#!/bin/sh
# Makes the files of this folder anew, with the programs that ours is compared with:
# objcopy (binutils) builds a unified image, sbsign (sbsigntool) signs it, and systemd-measure
# (systemd 252) calculates PCR 11 of its sections. Keys are made here and thrown away.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
measure=${SYSTEMD_MEASURE:-/lib/systemd/systemd-measure}

printf 'in place of a kernel' > "$work/linux"
printf 'ID=casemate\n' > "$work/osrel"
printf 'ro quiet' > "$work/cmdline"
head -c 700 /dev/zero | tr '\0' i > "$work/initrd"
printf 'in place of a key' > "$work/pcrpkey"

# The smallest PE32+ application: one section of code that returns.
python3 - "$work/stub" <<'PY'
import struct, sys
opt = struct.pack('<HBBIIIIIQIIHHHHHHIIIIHHQQQQII', 0x20b, 0, 0, 512, 0, 0, 0x1000, 0x1000, 0x400000, 0x1000, 512,
                  0, 0, 0, 0, 0, 0, 0, 0x2000, 1024, 0, 10, 0, 0, 0, 0, 0, 0, 16) + bytes(128)
pe = b'PE\0\0' + struct.pack('<HHIIIHH', 0x8664, 1, 0, 0, 0, len(opt), 0x22) + opt
pe += struct.pack('<8sIIIIIIHHI', b'.text', 512, 0x1000, 512, 1024, 0, 0, 0, 0, 0x60000020)
mz = b'MZ' + bytes(58) + struct.pack('<I', 64)
open(sys.argv[1], 'wb').write((mz + pe).ljust(1024, b'\0') + b'\xc3' + bytes(511))
PY
at=0x410000
set --
for name in osrel cmdline linux initrd pcrpkey; do
    set -- "$@" --add-section ".$name=$work/$name" --change-section-vma ".$name=$at"
    at=$(printf '0x%x' $((at + 0x10000)))
done
objcopy "$@" "$work/stub" "$work/unsigned"
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=predict test' -keyout "$work/key" -out "$work/cert" \
    2>/dev/null
openssl x509 -in "$work/cert" -outform DER -out db.der
sbsign --key "$work/key" --cert "$work/cert" --output uki.efi "$work/unsigned"
"$measure" calculate --bank=sha256 --linux="$work/linux" --osrel="$work/osrel" --cmdline="$work/cmdline" \
    --initrd="$work/initrd" --pcrpkey="$work/pcrpkey" --phase=enter-initrd \
    --phase=enter-initrd:leave-initrd --phase=enter-initrd:leave-initrd:sysinit:ready > pcr11.txt
