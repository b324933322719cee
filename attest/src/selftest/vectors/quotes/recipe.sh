#!/bin/sh
# Makes the quotes of this folder, genuine and hostile, by swtpm: each hostile one is something
# that a TPM really signed. Needs swtpm, tpm2-tools, openssl and python3. Run it in this folder.
set -eu
state=$(mktemp -d)
swtpm socket --tpm2 --tpmstate "dir=$state" --server type=tcp,port=23431 \
    --ctrl type=tcp,port=23432 --flags not-need-init,startup-clear --pid "file=$state/pid" --daemon
trap 'kill "$(cat "$state/pid")"; rm -rf "$state"' EXIT
export TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=23431"
nonce=00112233445566778899aabbccddeeff
printf %s "$nonce" > nonce
all=0,1,2,3,4,5,6,7
flush() { tpm2_flushcontext -t; tpm2_flushcontext -l; tpm2_flushcontext -s; }

# What firmware measures, into the SHA-256 bank; register 7 is where Secure Boot is.
for pcr in 0 1 2 3 4 5 6 7; do
    tpm2_pcrextend "$pcr:sha256=$(printf 'event %s' "$pcr" | sha256sum | cut -c1-64)"
done
# The same history in register 16, which anyone may reset.
tpm2_pcrextend "16:sha256=$(printf 'event 7' | sha256sum | cut -c1-64)"

# An attestation key below the endorsement key, as tpm2-tools make it.
tpm2_createek -Q -G ecc -c "$state/ek" -u ek
tpm2_createak -Q -C "$state/ek" -G ecc -g sha256 -s ecdsa -c "$state/ak" -u ak -f tss
flush
tpm2_readpublic -Q -c "$state/ak" -f pem -o ak.pem
flush

# values NAME SELECTION: the values now, as JSON that `attest quote --pcrs` takes.
values() {
    tpm2_pcrread "$2" | python3 -c '
import json, re, sys
banks = {}
for line in sys.stdin:
    if bank := re.match(r"  (sha\d+):", line):
        banks[bank[1]] = {}
        last = banks[bank[1]]
    if value := re.match(r"    (\d+) *: 0x([0-9A-F]+)", line):
        last[value[1]] = value[2].lower()
print(json.dumps(banks))' > "$1.json"
}
# quote NAME SELECTION: by the attestation key.
quote() {
    tpm2_quote -Q -c "$state/ak" -g sha256 -l "$2" -q "$nonce" -m "$1.attest" -s "$1.signature"
    flush
    values "$1" "$2"
}
quote genuine "sha256:$all"
quote resettable sha256:16
# Two banks in one quote: the SHA-384 one has only register 7 of the firmware.
tpm2_pcrextend "7:sha384=$(printf 'event 7' | sha384sum | cut -c1-96)"
quote two-banks "sha256:$all+sha384:7"
# A bank that no firmware extended.
quote empty-bank sha512:$all

# Other things that the same key signs.
tpm2_nvdefine -Q 0x1500016 -s 32 -a "ownerread|ownerwrite|authread|authwrite"
head -c 32 /dev/zero | tpm2_nvwrite -Q 0x1500016 -C o -i -
tpm2_nvcertify -C "$state/ak" -c 0x1500016 -g sha256 -q "$nonce" --size 32 -o nv.signature \
    --attestation nv.attest 0x1500016
flush
tpm2_gettime -Q -c "$state/ak" -g sha256 -q "$nonce" -o time.signature --attestation time.attest
flush
tpm2_createprimary -Q -C e -G ecc -c "$state/other"
tpm2_certify -Q -C "$state/ak" -c "$state/other" -g sha256 -o certify.attest -s certify.signature
flush

# A key of the same TPM that signs anything, and a quote of a machine that never was.
tpm2_createprimary -Q -C e -G ecc256:ecdsa-sha256:null -c "$state/free" \
    -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
flush
tpm2_readpublic -Q -c "$state/free" -f tss -o free
flush
python3 - <<'PYTHON'
import hashlib, json
values = [hashlib.sha256(b"invented %d" % pcr).digest() for pcr in range(8)]
attest = open("genuine.attest", "rb").read()
digest = hashlib.sha256(b"".join(values)).digest()
open("forged.attest", "wb").write(attest[:-32] + digest)
json.dump({"sha256": {str(n): v.hex() for n, v in enumerate(values)}}, open("forged.json", "w"))
PYTHON
tpm2_sign -Q -c "$state/free" -g sha256 -s ecdsa -f tss -o forged.signature forged.attest
flush

# Keys and hashes that are too weak.
attributes='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
weak() {
    tpm2_createprimary -Q -C e -G "$2" -a "$attributes" -c "$state/weak"
    flush
    tpm2_readpublic -Q -c "$state/weak" -f tss -o "$1"
    tpm2_readpublic -Q -c "$state/weak" -f pem -o "$1.pem"
    flush
    tpm2_quote -Q -c "$state/weak" -g "$3" -l "sha256:$all" -q "$nonce" -m "$1.attest" \
        -s "$1.signature"
    flush
}
weak sha1 ecc256:ecdsa-sha1:null sha1
weak rsa1024 rsa1024:rsassa-sha256:null sha256
# A genuine quote of another kind of key, and one by a key of the owner hierarchy.
weak rsa2048 rsa2048:rsassa-sha256:null sha256
tpm2_createprimary -Q -C o -G ecc256:ecdsa-sha256:null -a "$attributes" -c "$state/owner"
flush
tpm2_readpublic -Q -c "$state/owner" -f tss -o owner
flush
tpm2_quote -Q -c "$state/owner" -g sha256 -l "sha256:$all" -q "$nonce" -m owner.attest \
    -s owner.signature
rm -f rsa1024.pem rsa2048.pem
chmod 644 ./*
chmod 755 recipe.sh
