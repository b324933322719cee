# The image, from locked inputs to a machine that was seen to start.
#
# `null` starts no machine: it is Packer's place for a build that our own builder does. What the
# builder wrote is then an artifact of Packer's, with checksums. `start` (start.pkr.hcl) boots it
# once and fails the build if it does not become ready.
#
# Packer 1.6.6, with nothing but what is built into it: no plugin is fetched.

variable "out" {
  type        = string
  description = "Where the image goes, absolute."
}

variable "keys" {
  type        = string
  description = "Where the release's keys are, absolute."
}

variable "image" {
  type        = string
  description = "The builder, absolute: `make image` gives the one it compiled."
}

variable "build" {
  type        = list(string)
  description = "What the builder is told besides."
  default     = []
}

source "null" "image" {
  communicator = "none"
}

build {
  name    = "image"
  sources = ["source.null.image"]

  provisioner "shell-local" {
    # Arguments, not a line: a folder's name may hold a space.
    execute_command = ["/bin/bash", "-euo", "pipefail", "{{.Script}}"]
    environment_vars = [
      "IMAGE=${var.image}",
      "OUT=${var.out}",
      "KEYS=${var.keys}",
    ]
    inline = [
      "\"$IMAGE\" build --keys \"$KEYS\" --out \"$OUT\" ${join(" ", var.build)}",
      "\"$IMAGE\" publish --keys \"$KEYS\" --out \"$OUT\"",
    ]
  }

  post-processors {
    post-processor "artifice" {
      files = [
        "${var.out}/casemate.ova",
        "${var.out}/casemate.raw",
        "${var.out}/casemate.qcow2",
        "${var.out}/casemate.efi",
        "${var.out}/release.cose",
      ]
    }
    post-processor "checksum" {
      checksum_types = ["sha256"]
      output         = "${var.out}/packer.{{.ChecksumType}}"
    }
  }
}
