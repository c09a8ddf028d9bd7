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

# Starts the gateway on fresh state in the scenario's folder, its tree at ./tree.
start_gateway() {
    mkdir -p state tree
    "$HEARTH_BIN/hearthd" --state state --mount tree --foreground >gateway.log 2>&1 &
    gateway=$!
    wait_for 30 "$HEARTH_BIN/hearth" --state state status
    wait_for 30 mountpoint -q tree
}

# Whatever a scenario left behind must not be found by the next one.
tidy_up() {
    local status=$?
    set +e
    if [ "$status" != 0 ] && [ -e gateway.log ]; then
        cat gateway.log
    fi
    [ -n "${gateway-}" ] && kill -9 "$gateway" 2>/dev/null
    umount -l tree /media/rig 2>/dev/null
    phone_is_gone || unplug_phone >/dev/null
    card_is_gone || unplug_card >/dev/null
    exit "$status"
}
trap tidy_up EXIT

stop_gateway() {
    kill "$gateway"
    wait "$gateway" || fail "the gateway ended with $?"
    gateway=
}

# imported NAME: the file of this name, wherever the gateway filed it
imported() {
    find tree/Photos -name "$1" -type f 2>/dev/null | grep .
}

# imported_count NUMBER
imported_count() {
    [ "$(find tree/Photos -type f 2>/dev/null | wc -l)" = "$1" ]
}

all_imported() {
    imported_count "$(wc -l <"$MEDIA/SHA256SUMS")"
}

# Every file of the medium is in the tree, once and whole, filed by its day.
all_imported_whole() {
    local sum name path
    while read -r sum name; do
        name=${name#./}
        path=$(imported "$name")
        [ "$(sha256sum <"$path")" = "$sum  -" ] || fail "$path is not what the device holds"
        case $path in
        tree/Photos/2026/2026-07-*/"$name") ;;
        *) fail "$name is filed as $path" ;;
        esac
    done <"$MEDIA/SHA256SUMS"
    all_imported || fail "the tree holds more than the device: $(find tree/Photos -type f)"
}
