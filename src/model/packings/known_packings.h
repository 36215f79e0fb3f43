// The packings there are, one file each; packings.cc has the table.
#pragma once

#include "model/packings/packings.h"

namespace pedigree::packings {

extern const Packing gptq;
extern const Packing awq;
extern const Packing bnb_4bit;
extern const Packing bnb_int8;
extern const Packing ct_packed;
extern const Packing ct_nvfp4;
extern const Packing ct_mxfp4;
extern const Packing mlx;
extern const Packing hqq;
extern const Packing mx_blocks;
extern const Packing modelopt;
extern const Packing scaled_floats;
extern const Packing scaled_integers;
extern const Packing weight_norm;
extern const Packing weight_norm_parametrised;

}  // namespace pedigree::packings
