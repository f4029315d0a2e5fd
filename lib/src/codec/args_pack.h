/* SPDX-License-Identifier: MIT */
/* Large arguments as msgpack: written while the JSON is read, without a tree of either. */
#ifndef RQI_CODEC_ARGS_PACK_H
#define RQI_CODEC_ARGS_PACK_H

#include "base/buf.h"

/* Appends the msgpack form of strict JSON text (portable.h). REFQ_ERR_LIMIT when it is nested
 * deeper than libmsgpack reads; REFQ_ERR_INVALID for what is no such text. out may hold a part
 * then. */
REFQ_MUST_USE refq_err rqi_args_pack(refq_bytes json, rqi_buf *out);

#endif
