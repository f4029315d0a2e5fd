/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. There is no way to skip verification: who has a CA of his own names its file. A context
 * is made for each connection, so that renewed files are used without a restart; with the system's
 * CAs this costs a few milliseconds, and it is freed with the connection.
 *
 * The socket is connected before TLS comes in, because libevent's TLS bufferevent loses why a
 * connection was refused. With TLS 1.3 a server checks our certificate after we believe to be
 * connected, and its alert races with the reset that follows it: an end before the first reply is
 * therefore read as a refusal when the server had asked for a certificate.
 */
#include "redis/tls.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- Notes ------------------------------------------------------------------------------------ */

static rqi_tls_notes *notes_of(X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    return ssl != NULL ? SSL_get_app_data(ssl) : NULL;
}

/* Adds one name; what a certificate says is not fit for a terminal as it is. */
static void add_name(char *out, size_t size, const unsigned char *text, int len)
{
    size_t at = strlen(out);
    const char *comma = at != 0 ? ", " : "";
    if (len <= 0 || at + strlen(comma) + (size_t)len >= size) {
        return;
    }
    at += (size_t)snprintf(out + at, size - at, "%s", comma);
    for (int i = 0; i < len; i++) {
        out[at++] = text[i] > 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
    }
    out[at] = '\0';
}

static void add_address(char *out, size_t size, const ASN1_OCTET_STRING *ip)
{
    char text[INET6_ADDRSTRLEN] = "";
    int len = ASN1_STRING_length(ip);
    if (len == 4 || len == 16) {
        (void)inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text,
                        sizeof text);
    }
    add_name(out, size, (const unsigned char *)text, (int)strlen(text));
}

static void note_names(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            add_name(out, size, ASN1_STRING_get0_data(name->d.dNSName),
                     ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            add_address(out, size, name->d.iPAddress);
        }
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0') {
        (void)snprintf(out, size, "no name at all");
    }
}

static void note_end(X509 *cert, char *out, size_t size)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
        (void)strftime(out, size, "%Y-%m-%d", &tm);
    }
}

/* Looks only: whether the certificate is good was decided by OpenSSL. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    rqi_tls_notes *notes = notes_of(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    int code = X509_STORE_CTX_get_error(store);
    if (good || notes == NULL || cert == NULL) {
        return good;
    }
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        note_names(cert, notes->found, sizeof notes->found);
    } else if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
        note_end(cert, notes->until, sizeof notes->until);
    }
    return good;
}

/* Called when the server asks for a certificate. */
static int on_asked(SSL *ssl, void *arg)
{
    (void)arg;
    rqi_tls_notes *notes = SSL_get_app_data(ssl);
    if (notes != NULL) {
        notes->asked = true;
        notes->shown = SSL_get_certificate(ssl) != NULL;
    }
    return 1;
}

/* --- Making ----------------------------------------------------------------------------------- */

/* What OpenSSL says of the last failure; clears its queue. */
static const char *why(void)
{
    static const char *const system_errors[] = {"No such file or directory", "Permission denied"};
    unsigned long code = ERR_peek_last_error();
    unsigned long first = ERR_peek_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(first)) {
        int number = ERR_GET_REASON(first);
        return number == ENOENT ? system_errors[0] : number == EACCES ? system_errors[1] : "";
    }
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "unknown reason";
}

static int load_ca(SSL_CTX *ctx, const char *path)
{
    struct stat st;
    if (path[0] == '\0') {
        return SSL_CTX_set_default_verify_paths(ctx);
    }
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return folder ? SSL_CTX_load_verify_dir(ctx, path) : SSL_CTX_load_verify_file(ctx, path);
}

static refq_err load_files(SSL_CTX *ctx, const rqi_tls_settings *s, refq_error *err)
{
    if (load_ca(ctx, s->ca) != 1) {
        return rqi_fail(err, REFQ_ERR_AUTH, "cannot use the CA file %.120s: %s",
                        s->ca[0] != '\0' ? s->ca : "of this system", why());
    }
    if (s->cert[0] == '\0') {
        return REFQ_OK;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, s->cert) != 1) {
        return rqi_fail(err, REFQ_ERR_AUTH, "cannot use the client certificate %.120s: %s", s->cert,
                        why());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, s->key, SSL_FILETYPE_PEM) != 1) {
        return rqi_fail(err, REFQ_ERR_AUTH,
                        "cannot use the private key %.100s: %s (give the file with key= or "
                        "REFQ_REDIS_KEY)",
                        s->key, why());
    }
    return REFQ_OK;
}

/* A key with a passphrase must not make OpenSSL ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static refq_err make_context(const rqi_tls_settings *settings, SSL_CTX **ret, refq_error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot prepare TLS: %s", why());
    }
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_cert_cb(ctx, on_asked, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    refq_err rc = load_files(ctx, settings, err);
    if (rc != REFQ_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret = ctx;
    return REFQ_OK;
}

/* The name to verify: without the zone of a link-local address, which no certificate knows. */
static void choose_name(const rqi_tls_settings *settings, const char *host, rqi_tls_notes *notes)
{
    const char *name = settings->server_name[0] != '\0' ? settings->server_name : host;
    (void)snprintf(notes->expected, sizeof notes->expected, "%.*s", (int)strcspn(name, "%"), name);
}

static int expect_name(SSL *ssl, const char *name)
{
    unsigned char raw[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static refq_err make_session(const rqi_tls_settings *settings, rqi_tls_notes *notes, SSL **ret,
                             refq_error *err)
{
    SSL_CTX *ctx = NULL;
    refq_err rc = make_context(settings, &ctx, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx); /* the session keeps it */
    if (ssl == NULL || expect_name(ssl, notes->expected) != 1) {
        SSL_free(ssl);
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.100s' is no name to expect in a certificate",
                        notes->expected);
    }
    SSL_set_app_data(ssl, notes);
    *ret = ssl;
    return REFQ_OK;
}

refq_err rqi_tls_start(struct event_base *base, const rqi_tls_settings *settings, const char *host,
                       int fd, rqi_tls_notes *notes, struct bufferevent **ret, refq_error *err)
{
    SSL *ssl = NULL;
    choose_name(settings, host, notes);
    refq_err rc = make_session(settings, notes, &ssl, err);
    if (rc != REFQ_OK) {
        (void)close(fd);
        return rc;
    }
    /* On failure libevent itself frees the session and closes the socket. */
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting");
    }
    *ret = bev;
    return REFQ_OK;
}

void rqi_tls_leave(struct bufferevent *bev)
{
    SSL_set_app_data(bufferevent_openssl_get_ssl(bev), NULL);
}

/* --- Explaining ------------------------------------------------------------------------------- */

#define UNKNOWN_CA \
    "comes from a CA that is not known here; name the file of its CA with ca= or REFQ_REDIS_CA"

static const struct {
    int code;
    const char *text; /* after "the certificate of <server>" */
} verify_errors[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, UNKNOWN_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, UNKNOWN_CA},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, UNKNOWN_CA},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "is signed by itself; name its file with ca= or REFQ_REDIS_CA"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "is not valid yet; check the clocks of both machines"},
};

static void explain_certificate(long code, const rqi_tls_notes *notes, const char *shown,
                                refq_error *err)
{
    if (notes->found[0] != '\0') {
        (void)rqi_fail(err, REFQ_ERR_AUTH,
                       "the certificate of %.60s is for %.90s, not for %.60s; use such a name "
                       "or server_name=",
                       shown, notes->found, notes->expected);
        return;
    }
    if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
        (void)rqi_fail(err, REFQ_ERR_AUTH,
                       "the certificate of %.100s has expired on %s; the server needs a new one",
                       shown, notes->until);
        return;
    }
    for (size_t i = 0; i < N_OF(verify_errors); i++) {
        if (verify_errors[i].code == code) {
            (void)rqi_fail(err, REFQ_ERR_AUTH, "the certificate of %.100s %s", shown,
                           verify_errors[i].text);
            return;
        }
    }
    (void)rqi_fail(err, REFQ_ERR_AUTH, "the certificate of %.100s is not accepted: %.80s", shown,
                   X509_verify_cert_error_string(code));
}

#define WANTS_CERTIFICATE \
    "wants a client certificate; give cert= and key=, or REFQ_REDIS_CERT and REFQ_REDIS_KEY"
#define NOT_TLS "does not speak TLS; if it has none, write redis:// instead of rediss://"
#define REFUSES "does not accept our client certificate"

static const struct {
    int reason;
    refq_err code;
    const char *text; /* after the server's name */
} tls_errors[] = {
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, REFQ_ERR_AUTH, WANTS_CERTIFICATE},
    {SSL_R_WRONG_VERSION_NUMBER, REFQ_ERR_PROTO, NOT_TLS},
    {SSL_R_UNSUPPORTED_PROTOCOL, REFQ_ERR_PROTO, "offers no TLS of version 1.2 or newer"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, REFQ_ERR_PROTO, "offers no TLS of version 1.2 or newer"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, REFQ_ERR_AUTH, REFUSES ": it does not know its CA"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, REFQ_ERR_AUTH, REFUSES ": it has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, REFQ_ERR_AUTH, REFUSES ": it was revoked"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, REFQ_ERR_AUTH, REFUSES},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, REFQ_ERR_AUTH, REFUSES},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, REFQ_ERR_AUTH, REFUSES},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, REFQ_ERR_AUTH, REFUSES},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, REFQ_ERR_AUTH, REFUSES},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, REFQ_ERR_PROTO,
     "and this program have no TLS cipher in common"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, REFQ_ERR_IO, NULL},
};

static refq_err explain_reason(int reason, const char *shown, refq_error *err)
{
    for (size_t i = 0; i < N_OF(tls_errors); i++) {
        if (tls_errors[i].reason == reason) {
            return tls_errors[i].text == NULL
                       ? rqi_fail(err, REFQ_ERR_IO, "the server closed the connection at %s", shown)
                       : rqi_fail(err, tls_errors[i].code, "%.120s %s", shown, tls_errors[i].text);
        }
    }
    const char *text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
    return rqi_fail(err, REFQ_ERR_IO, "TLS failed at %.120s: %.80s", shown,
                    text != NULL ? text : "unknown reason");
}

refq_err rqi_tls_explain(struct bufferevent *bev, const rqi_tls_notes *notes, const char *shown,
                         bool heard, int saved, refq_error *err)
{
    long verified = SSL_get_verify_result(bufferevent_openssl_get_ssl(bev));
    unsigned long code = bufferevent_get_openssl_error(bev);
    int reason = code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (verified != X509_V_OK) {
        explain_certificate(verified, notes, shown, err);
        return err->code;
    }
    bool told = reason != 0 && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING &&
                reason != SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE;
    if (notes->asked && !heard && !told) {
        return rqi_fail(err, REFQ_ERR_AUTH, "%.120s %s", shown,
                        notes->shown ? "ended the connection: it does not seem to accept our "
                                       "client certificate (cert= or REFQ_REDIS_CERT)"
                                     : WANTS_CERTIFICATE);
    }
    if (reason != 0) {
        return explain_reason(reason, shown, err);
    }
    return rqi_fail(err, REFQ_ERR_IO, "%s at %s",
                    saved != 0 ? strerror(saved) : "the server closed the connection", shown);
}
