/* SPDX-License-Identifier: MIT */
#include "support/certs.h"

#include "support/proc.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400L

static char dir[64];

struct authority {
    const char *name;
    EVP_PKEY *key;
    X509 *cert;
};

static struct authority authorities[] = {{"ca", NULL, NULL}, {"other-ca", NULL, NULL}};

static void need(bool good)
{
    if (!good) {
        (void)fprintf(stderr, "cannot make a certificate in %s\n", dir);
        abort();
    }
}

const char *rqt_cert_path(const char *file)
{
    static char paths[16][160];
    static int next;
    char *path = paths[next++ % 16];
    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, file);
    return path;
}

static FILE *create(const char *name, const char *suffix)
{
    char file[80];
    (void)snprintf(file, sizeof file, "%s%s", name, suffix);
    FILE *f = fopen(rqt_cert_path(file), "we");
    need(f != NULL);
    return f;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static X509 *new_cert(const char *name, EVP_PKEY *key, int days)
{
    static long serial = 1;
    X509 *cert = X509_new();
    need(cert != NULL && X509_set_version(cert, 2) == 1 && X509_set_pubkey(cert, key) == 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -30 * DAY_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), days * DAY_S);
    need(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                    (const unsigned char *)name, -1, -1, 0) == 1);
    return cert;
}

static void sign(const char *name, X509 *cert, X509 *issuer, EVP_PKEY *key)
{
    FILE *f = create(name, ".pem");
    need(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
    need(X509_sign(cert, key, EVP_sha256()) > 0 && PEM_write_X509(f, cert) == 1);
    need(fclose(f) == 0);
}

static void make_authority(struct authority *ca)
{
    ca->key = EVP_EC_gen("P-256");
    need(ca->key != NULL);
    ca->cert = new_cert(ca->name, ca->key, 30);
    add_extension(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    sign(ca->name, ca->cert, ca->cert, ca->key);
}

void rqt_certs_begin(void)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/refq-certs-XXXXXX", tmp != NULL ? tmp : "/tmp");
    need(mkdtemp(dir) != NULL);
    make_authority(&authorities[0]);
    make_authority(&authorities[1]);
}

void rqt_certs_end(void)
{
    for (size_t i = 0; i < 2; i++) {
        X509_free(authorities[i].cert);
        EVP_PKEY_free(authorities[i].key);
    }
    rqt_remove_tree(dir);
}

void rqt_cert(const char *name, const char *ca_name, const char *names, int days)
{
    struct authority *ca = &authorities[strcmp(ca_name, "ca") == 0 ? 0 : 1];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    need(key != NULL);
    FILE *f = create(name, ".key");
    need(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
    X509 *cert = new_cert(name, key, days);
    add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
    if (names != NULL) {
        add_extension(cert, ca->cert, NID_subject_alt_name, names);
    }
    sign(name, cert, ca->cert, ca->key);
    X509_free(cert);
    EVP_PKEY_free(key);
}
