#!/bin/sh
# Makes the vectors of this folder: a key, a quote and its signature of each kind that the
# verifier accepts, by swtpm. Needs swtpm and tpm2-tools. Run it in this folder.
set -eu
state=$(mktemp -d)
swtpm socket --tpm2 --tpmstate "dir=$state" --server type=tcp,port=23421 \
    --ctrl type=tcp,port=23422 --flags not-need-init,startup-clear --pid "file=$state/pid" --daemon
trap 'kill "$(cat "$state/pid")"; rm -rf "$state"' EXIT
TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=23421"
export TPM2TOOLS_TCTI
attributes='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
while read -r key scheme hash; do
    folder="$key-$scheme-$hash"
    mkdir -p "$folder"
    tpm2_createprimary -Q -C e -G "$key:$scheme-$hash:null" -a "$attributes" -c "$state/key"
    tpm2_readpublic -Q -c "$state/key" -f tss -o "$folder/public"
    tpm2_flushcontext -t
    tpm2_quote -Q -c "$state/key" --scheme "$scheme" -g "$hash" \
        -l sha256:0,1,2,3,4,5,6,7,11,12,13,15 -q 00112233 -m "$folder/attest" -s "$folder/signature"
    tpm2_flushcontext -t
done <<KINDS
ecc256 ecdsa sha256
ecc384 ecdsa sha384
rsa2048 rsassa sha256
rsa2048 rsapss sha256
rsa2048 rsapss sha512
rsa3072 rsassa sha384
KINDS
chmod 644 */*
