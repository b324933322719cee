#!/bin/sh
# Makes the certificates of this folder. Needs swtpm, swtpm-tools, tpm2-tools, openssl, python3.
# Run it in this folder.
#
# Real ones, not made here:
# - stm.der and the three above it: the endorsement certificate of an ST33ZP24 (TPM 1.2), from the
#   tests of nsacyber/HIRS; its intermediate and roots from keylime's tpm_cert_store. The directory
#   name is critical, so are policies, the subject is empty, the key is named for OAEP.
# - infineon-{rsa,ecc}.{der,public}: both endorsement keys of an SLB 9670 with their certificates,
#   from the tests of keylime. Their intermediate (CA 035) is not here: an unknown issuer.
# Both projects are under the Apache License 2.0.
set -eu
folder=$PWD
work=$(mktemp -d)
trap '[ -f "$work/pid" ] && kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT

# stm.public: the key of stm.der as the TPM2B_PUBLIC of a TPM 2.0 would be (template L-1).
python3 - <<'PYTHON'
import subprocess
text = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-in", "stm.der"],
                      capture_output=True, text=True, check=True).stdout.splitlines()
at = next(n for n, line in enumerate(text) if "rsaesOaep" in line)
bits = next(line for line in text[at:] if "BIT STRING" in line)
offset = int(bits.split(":")[0])
der = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-in", "stm.der", "-strparse",
                      str(offset)], capture_output=True, text=True, check=True).stdout
modulus = bytes.fromhex(next(line for line in der.splitlines() if "INTEGER" in line).split(":")[-1])
policy = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
size = lambda b: len(b).to_bytes(2, "big") + b
area = (bytes.fromhex("0001000b000300b2") + size(policy) + bytes.fromhex("00060080004300100800")
        + bytes(4) + size(modulus))
open("stm.public", "wb").write(size(area))
PYTHON

# A software TPM with certificates by a CA of its host, as libvirt sets it up: RSA-2048 and P-384.
mkdir -p "$work/ca" "$work/tpm"
cat > "$work/localca.conf" <<CONF
statedir = $work/ca
signingkey = $work/ca/signkey.pem
issuercert = $work/ca/issuercert.pem
certserial = $work/ca/certserial
CONF
cat > "$work/localca.options" <<CONF
--tpm-manufacturer id:00001014
--tpm-model swtpm
--tpm-version id:20191023
--platform-manufacturer casemate
--platform-version 1
--platform-model test
CONF
sed "s|^create_certs_tool_config.*|create_certs_tool_config = $work/localca.conf|;
     s|^create_certs_tool_options.*|create_certs_tool_options = $work/localca.options|" \
    /etc/swtpm_setup.conf > "$work/setup.conf"
chmod -R a+rwX "$work"
swtpm_setup --tpm2 --tpmstate "$work/tpm" --create-ek-cert --config "$work/setup.conf" \
    --runas root --overwrite > "$work/setup.log" 2>&1 || { cat "$work/setup.log"; exit 1; }
openssl x509 -in "$work/ca/issuercert.pem" -outform DER -out swtpm-intermediate.der
openssl x509 -in "$work/ca/swtpm-localca-rootca-cert.pem" -outform DER -out swtpm-root.der
swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --server type=tcp,port=23441 \
    --ctrl type=tcp,port=23442 --flags not-need-init,startup-clear --pid "file=$work/pid" --daemon
export TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=23441"
tpm2_nvread -Q -C o 0x1c00002 -o swtpm-rsa.der 2>/dev/null || tpm2_nvread -Q -C p 0x1c00002 -o swtpm-rsa.der
tpm2_nvread -Q -C o 0x1c00016 -o swtpm-p384.der 2>/dev/null || tpm2_nvread -Q -C p 0x1c00016 -o swtpm-p384.der
tpm2_readpublic -Q -c 0x81010001 -f tss -o swtpm-rsa.public
tpm2_readpublic -Q -c 0x81010016 -f tss -o swtpm-p384.public
# The key that the appliance uses, P-256 (template L-2), with a certificate of the same CA.
tpm2_createek -Q -G ecc -c "$work/ek" -u swtpm-p256.public
tpm2_flushcontext -t
coordinates=$(python3 -c '
p = open("swtpm-p256.public", "rb").read()
print("x=%s,y=%s,id=secp256r1" % (p[-66:-34].hex(), p[-32:].hex()))')
swtpm_localca --type ek --dir "$work" --ek "$coordinates" --vmid test --tpm2 \
    --configfile "$work/localca.conf" --optsfile "$work/localca.options" \
    --tpm-spec-family 2.0 --tpm-spec-level 0 --tpm-spec-revision 164 > "$work/localca.log"
cp "$work/ek.cert" swtpm-p256.der

# Certificates that no vendor issues: for the same P-256 key, by a CA made here.
cd "$work"
for name in root inter deep no-authority short; do
    openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
done
python3 - "$folder/swtpm-p256.public" > ek.pem <<'PYTHON'
import base64, sys
p = open(sys.argv[1], "rb").read()
der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\4" + p[-66:-34] + p[-32:]
print("-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der).decode() + "-----END PUBLIC KEY-----")
PYTHON
tcg='subjectAltName = critical,dirName:tpm
[tpm]
1.2.23.133.2.1 = id:53544D20
2.2.23.133.2.2 = MODEL
3.2.23.133.2.3 = id:00010002'
authority='basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign'
leaf='basicConstraints = critical,CA:FALSE
keyUsage = critical,keyAgreement
extendedKeyUsage = 2.23.133.8.1'
# issue OUT ISSUER KEY SUBJECT DAYS DIGEST EXTENSIONS: KEY is a private key or ek.pem.
issue() {
    printf '[v3]\n%s\n' "$7" > v3
    case $3 in
    ek.pem) openssl req -new -key root.key -subj "$4" -out csr
        openssl x509 -req -in csr -force_pubkey ek.pem -CA "$2.pem" -CAkey "$2.key" \
            -set_serial 0x1001 -days "$5" "-$6" -extfile v3 -extensions v3 -outform PEM \
            -out "$1.pem" 2> /dev/null ;;
    *) openssl req -new -key "$3" -subj "$4" -out csr
        openssl x509 -req -in csr -CA "$2.pem" -CAkey "$2.key" -set_serial 0x1002 -days "$5" \
            "-$6" -extfile v3 -extensions v3 -out "$1.pem" 2> /dev/null ;;
    esac
}
openssl req -x509 -new -key root.key -subj '/O=Test/CN=Root' -days 36500 -out root.pem \
    -addext 'keyUsage=critical,keyCertSign' -addext 'basicConstraints=critical,CA:TRUE'
issue inter root inter.key '/O=Test/CN=Intermediate' 36500 sha256 "$authority"
issue deep inter deep.key '/O=Test/CN=Deeper' 36500 sha256 "$authority"
# Until 9999-12-31, as the EK Credential Profile writes "no end".
endless=$(python3 -c 'import datetime as d; print((d.date(9999, 12, 31) - d.date.today()).days)')
issue good inter ek.pem '/' "$endless" sha384 "$leaf
$tcg"
issue unknown-critical inter ek.pem '/' 36500 sha256 "1.3.6.1.4.1.99999.1 = critical,ASN1:UTF8String:x
$leaf
$tcg"
issue other-use inter ek.pem '/' 36500 sha256 "basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
$tcg"
issue signing-key inter ek.pem '/' 36500 sha256 "keyUsage = critical,digitalSignature
extendedKeyUsage = 2.23.133.8.1
$tcg"
issue expired inter ek.pem '/' 1 sha256 "$leaf
$tcg"
issue sha1-signed inter ek.pem '/' 36500 sha1 "$leaf
$tcg"
# Issuers that may not issue: an end entity, one without the usage, one of path length 0.
issue no-authority inter no-authority.key '/O=Test/CN=No authority' 36500 sha256 "basicConstraints = critical,CA:FALSE"
issue by-no-authority no-authority ek.pem '/' 36500 sha256 "$leaf
$tcg"
issue short root short.key '/O=Test/CN=Short' 36500 sha256 "basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign"
issue below-short short deep.key '/O=Test/CN=Deeper' 36500 sha256 "$authority"
mv below-short.pem below.pem; cp deep.key below.key
issue too-long below ek.pem '/' 36500 sha256 "$leaf
$tcg"
openssl x509 -in root.pem -outform DER -out "$folder/test-root.der"
cat root.pem inter.pem deep.pem > "$folder/test-bundle.pem"
for name in inter no-authority short below good unknown-critical other-use signing-key expired \
    sha1-signed by-no-authority too-long; do
    openssl x509 -in "$name.pem" -outform DER -out "$folder/test-$name.der"
done
cd "$folder"
chmod 644 ./*
chmod 755 recipe.sh
