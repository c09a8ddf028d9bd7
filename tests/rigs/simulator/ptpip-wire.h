#pragma once

#include "tests/rigs/simulator/device.h"

#include <glib.h>

/**
 * The same device behind PTP/IP: a server on the loopback interface, for one initiator at a time.
 *
 * "Unplugged" means that the connections are cut and no new one is answered; "hang" that nothing is
 * answered on the ones there are. Each connection has a thread.
 */
typedef struct SimPtpip SimPtpip;

/**
 * `host` NULL: an address of 127.0.0.0/8 where nobody listens yet. The port is always PTP/IP's own,
 * 15740: libgphoto2 looks for the second connection there whatever port it was given. The device
 * must outlive this.
 */
SimPtpip *sim_ptpip_new(SimDevice *device, const char *host, GError **error);
void sim_ptpip_free(SimPtpip *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimPtpip, sim_ptpip_free)

/** (transfer none) "127.12.34.56" */
const char *sim_ptpip_host(SimPtpip *server);
