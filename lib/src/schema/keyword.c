/* SPDX-License-Identifier: MIT */
#include "schema/keyword.h"

const rqi_js_keyword *const rqi_js_keyword_groups[] = {
    rqi_js_type_keywords,        rqi_js_value_keywords,
    rqi_js_number_keywords,      rqi_js_string_keywords,
    rqi_js_annotation_keywords,  rqi_js_array_keywords,
    rqi_js_object_keywords,      rqi_js_ref_keywords,
    rqi_js_members_keywords,     rqi_js_dependencies_keywords,
    rqi_js_items_keywords,       rqi_js_logic_keywords,
    rqi_js_unevaluated_keywords, NULL,
};
