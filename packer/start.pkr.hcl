# Starts the built disk once: OVMF with Secure Boot and our keys, a software TPM, an emulated
# processor. The disk is Packer's copy; what was built stays as it is.
#
# Nobody logs in: the appliance has no shell. It says on the serial line that it is ready;
# `until-ready`, which Packer takes for QEMU, waits for that line. A machine that ends without it
# fails the build, and one that never says it runs into the time limit.

variable "run" {
  type        = string
  description = "A folder for the machine: sockets, log, variables; absolute, short, made by `make image`."
}

variable "firmware" {
  type        = string
  description = "OVMF's code with Secure Boot; its variables are those that the build enrolled our keys in."
  default     = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
}

variable "limit" {
  type        = string
  description = "How long a start may take; an emulated processor on a busy machine is slow."
  default     = "30m"
}

source "qemu" "start" {
  # The wrapper is beside this file.
  qemu_binary      = "${path.root}/until-ready"
  iso_url          = "${var.out}/casemate.raw"
  iso_checksum     = "none"
  disk_image       = true
  skip_resize_disk = true
  format           = "raw"
  output_directory = "${var.run}/disk"
  vm_name          = "casemate.raw"
  communicator     = "none"
  headless         = true
  accelerator      = "none"
  boot_wait        = "0s"
  shutdown_timeout = var.limit
  # A list given here takes the place of Packer's own words of the same name.
  qemuargs = [
    ["-machine", "q35,smm=on,accel=tcg"],
    ["-cpu", "max"],
    ["-smp", "2"],
    ["-m", "2048"],
    ["-global", "driver=cfi.pflash01,property=secure,value=on"],
    ["-drive", "if=pflash,unit=0,readonly=on,format=raw,file=${var.firmware}"],
    ["-drive", "if=pflash,unit=1,format=raw,file=${var.run}/variables.fd"],
    ["-drive", "if=none,id=disk,format=raw,file=${var.run}/disk/casemate.raw"],
    ["-device", "virtio-blk-pci,drive=disk,bootindex=0"],
    ["-device", "virtio-net-pci,netdev=user.0"],
    ["-device", "tpm-crb,tpmdev=tpm0"],
    ["-chardev", "socket,id=tpm,path=${var.run}/tpm.sock"],
    ["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
    # Nothing leaves: the network that the machine sees ends in QEMU.
    ["-netdev", "user,id=user.0,restrict=on"],
    ["-serial", "file:${var.run}/serial.log"],
    ["-no-reboot"],
  ]
}

build {
  name    = "start"
  sources = ["source.qemu.start"]

  post-processor "shell-local" {
    execute_command  = ["/bin/bash", "-euo", "pipefail", "{{.Script}}"]
    environment_vars = ["RUN=${var.run}"]
    inline = [
      "if [[ ! -e $RUN/ready ]]; then echo 'the appliance did not say that it is ready; its last words:'; tail -n 40 \"$RUN/serial.log\"; exit 1; fi",
    ]
  }
}
