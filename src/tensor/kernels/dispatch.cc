#include "tensor/kernels/kernels.h"

namespace pedigree {

const Kernels& kernels() {
  static const Kernels& chosen = has_avx2() ? avx2_kernels : scalar_kernels;
  return chosen;
}

}  // namespace pedigree
