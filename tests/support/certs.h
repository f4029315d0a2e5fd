/* SPDX-License-Identifier: MIT */
/* Certificates for one test process, in a temporary folder of their own. */
#ifndef RQT_CERTS_H
#define RQT_CERTS_H

/* Makes the folder and two CAs, ca.pem and other-ca.pem. */
void rqt_certs_begin(void);
void rqt_certs_end(void);

/* Makes NAME.pem and NAME.key, signed by "ca" or "other-ca". names: as in openssl's subjectAltName,
 * such as "DNS:localhost,IP:127.0.0.1"; NULL = none. It runs out in so many days (negative: it
 * has).
 */
void rqt_cert(const char *name, const char *ca, const char *names, int days);

/* The full path of a file in the folder; valid until 16 more were asked for. */
const char *rqt_cert_path(const char *file);

#endif
