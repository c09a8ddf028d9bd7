#pragma once

#include "sprockets/host/host.h"

/** As hearth_sprocket_host_new, but with these shared objects instead of a folder's. */
HearthSprocketHost *hearth_sprocket_host_new_for_paths(const HearthSprocketOptions *options,
                                                       const char *const *paths, GError **error);

/** For tests: the process id of the server; 0: none runs. */
GPid hearth_sprocket_host_server_pid(HearthSprocketHost *host);
