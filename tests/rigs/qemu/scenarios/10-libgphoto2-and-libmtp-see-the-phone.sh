# The guest itself: a plugged-in MTP device reaches udev, libgphoto2 and libmtp.
# shellcheck source=tests/rigs/qemu/lib.sh
. "$RIG/lib.sh"

from=$(now_ms)
plug_phone
wait_for 10 phone_is_there
udevadm settle -t 10
measure 'plug to udev settled' "$from"
gphoto2 --auto-detect | grep usb: || fail 'libgphoto2 does not see it'
mkdir gphoto2 mtp
from=$(now_ms)
(cd gphoto2 && gphoto2 --get-all-files >/dev/null)
measure 'gphoto2 gets 69 MB' "$from"
all_whole gphoto2
id=$(mtp-files | sed -n 's/^File ID: //p;s/^ *Filename: //p' | paste - - | sed -n 's/\tRIG_0001.JPG$//p')
mtp-getfile "$id" mtp/RIG_0001.JPG >/dev/null
grep RIG_0001 "$MEDIA/SHA256SUMS" >one
(cd mtp && sha256sum -c --quiet ../one)
unplug_phone
wait_for 10 phone_is_gone
