// The rows of the table in element_types.cc, one a known element type; each is
// defined in the .cc of its name in this folder.
#pragma once

#include "tensor/element_types.h"

namespace pedigree::types {

extern const ElementType boolean;

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

}  // namespace pedigree::types
