# What the scenarios share; sourced by each, in the guest. MEDIA is the folder of make-media.
# shellcheck shell=bash
set -eu

fail() {
    echo "$*"
    exit 1
}

now_ms() {
    date +%s%3N
}

# measure WHAT FROM-MS
measure() {
    echo "measure: $1: $(($(now_ms) - $2)) ms"
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds
wait_for() {
    local end=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$end" ] || fail "waited in vain for: $*"
        sleep 0.05
    done
}

plug_phone() {
    host device_add driver=usb-mtp id=phone "rootdir=$MEDIA/phone" desc=Phone serial=PHONE1 bus=xhci.0 port=1
}

unplug_phone() {
    host device_del id=phone
}

phone_is_there() {
    grep -qsx PHONE1 /sys/bus/usb/devices/*/serial
}

phone_is_gone() {
    ! phone_is_there
}

plug_card() {
    host blockdev-add driver=file node-name=card-file "filename=$MEDIA/card.img" read-only=on
    host blockdev-add driver=raw node-name=card-blocks file=card-file read-only=on
    host device_add driver=usb-storage id=card drive=card-blocks bus=xhci.0 port=2 removable=on serial=CARD1
}

unplug_card() {
    host device_del id=card
    wait_for 10 card_is_gone
    host blockdev-del node-name=card-blocks
    host blockdev-del node-name=card-file
}

card_is_gone() {
    [ ! -e /dev/disk/by-label/RIG_CARD ]
}

# all_whole FOLDER: every file of the medium is in FOLDER
all_whole() {
    (cd "$1" && sha256sum -c --quiet "$MEDIA/SHA256SUMS")
}
