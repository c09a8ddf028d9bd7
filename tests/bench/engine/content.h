#pragma once

#include <glib.h>

/** What the benchmark's calls work on: made here, the same at every run. */

/** A JPEG with 62 EXIF tags in three folders and a thumbnail, no maker's note. */
GBytes *content_exif_jpeg(void);

/** ID3v2.3 with text frames, a comment and a cover of 20 KB, then half a minute of empty MPEG frames. */
GBytes *content_mp3(void);

/** Gradients with texture, no noise, 4:3, quality 90. */
GBytes *content_picture(guint width);

/** Stereo of 16 bits at 44.1 kHz: chords that swell, and a little noise. */
GBytes *content_flac(guint seconds);
