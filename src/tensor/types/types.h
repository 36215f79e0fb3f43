// The rows of the table in element_types.cc, one a known element type; each is
// defined in the .cc of its name in this folder.
#pragma once

#include "tensor/element_types.h"

namespace pedigree::types {

extern const ElementType boolean;

extern const ElementType u4;
extern const ElementType i4;
extern const ElementType u8;
extern const ElementType i8;
extern const ElementType u16;
extern const ElementType i16;
extern const ElementType u32;
extern const ElementType i32;
extern const ElementType u64;
extern const ElementType i64;

extern const ElementType f4;
extern const ElementType f6_e2m3;
extern const ElementType f6_e3m2;
extern const ElementType f8_e4m3;
extern const ElementType f8_e5m2;
extern const ElementType f8_e4m3fnuz;
extern const ElementType f8_e5m2fnuz;
extern const ElementType f8_e8m0;

extern const ElementType f16;
extern const ElementType bf16;
extern const ElementType f32;
extern const ElementType f64;
extern const ElementType c64;

// Of ggml, stored in blocks: ggml_legacy.cc, ggml_k.cc, ggml_iq.cc, ggml_small.cc.
extern const ElementType q4_0;
extern const ElementType q4_1;
extern const ElementType q5_0;
extern const ElementType q5_1;
extern const ElementType q8_0;
extern const ElementType q8_1;
extern const ElementType q1_0;
extern const ElementType q2_0;
extern const ElementType q2_k;
extern const ElementType q3_k;
extern const ElementType q4_k;
extern const ElementType q5_k;
extern const ElementType q6_k;
extern const ElementType q8_k;
extern const ElementType iq4_nl;
extern const ElementType iq4_xs;
extern const ElementType iq1_s;
extern const ElementType iq1_m;
extern const ElementType iq2_xxs;
extern const ElementType iq2_xs;
extern const ElementType iq2_s;
extern const ElementType iq3_xxs;
extern const ElementType iq3_s;
extern const ElementType tq1_0;
extern const ElementType tq2_0;
extern const ElementType mxfp4;
extern const ElementType nvfp4;

// Spread over several tensors by a quantiser: packed.cc.
extern const ElementType gptq;
extern const ElementType awq;
extern const ElementType bnb_4bit;
extern const ElementType bnb_int8;
extern const ElementType fp8_scaled;
extern const ElementType int8_scaled;
extern const ElementType ct_packed;
extern const ElementType mlx;
extern const ElementType hqq;

}  // namespace pedigree::types
