#pragma once

/** A piece of music: its tags, and the notes that make it. */
typedef struct {
    const char *name; /* file name, without folder */
    const char *artist;
    const char *album;
    const char *title;
    const char *year;
    const char *track;
    const char *notes; /* 'a' to 'z' are semitones from A3 upward, a space is a rest */
} DemoSong;

/** Writes `song` as a WAV file with its tags in an INFO list; ends the program with a message on
 * failure. */
void demo_wave_write(const DemoSong *song, const char *path);
