#include "model/shape_fit.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

std::vector<const FamilyTensor*> layer_of(const Family& family) {
  std::vector<const FamilyTensor*> tensors;
  for (const FamilyTensor& tensor : family.tensors) {
    if (tensor.in_layer) tensors.push_back(&tensor);
  }
  return tensors;
}

KnownSizes width(std::uint64_t size) {
  KnownSizes sizes;
  sizes.set(Symbol::hidden, size);
  return sizes;
}

TEST_CASE("a layer's shapes tell its sizes, whatever their order") {
  const Family& family = test::family_called("llama");
  const ShapeBag bag = {{{64}, 2}, {{64, 64}, 2}, {{16, 64}, 2}, {{160, 64}, 2}, {{64, 160}, 1}};
  const ShapeFit fit = fit_shapes(layer_of(family), bag, width(64));
  CHECK(fit.matched == 9);
  CHECK(fit.missing == 0);
  CHECK(fit.optional == 0);
  CHECK(fit.sizes.find(Symbol::kv) == 16);
  CHECK(fit.sizes.find(Symbol::ffn) == 160);
}

TEST_CASE("what a family asks for and is not there is missing") {
  const ShapeBag bag = {{{64}, 2}, {{64, 64}, 2}, {{16, 64}, 2}, {{160, 64}, 1}, {{64, 160}, 1}};
  const ShapeFit fit = fit_shapes(layer_of(test::family_called("llama")), bag, width(64));
  CHECK(fit.matched == 8);
  CHECK(fit.missing == 1);
}

TEST_CASE("a fused matrix is told once one of its parts is") {
  const ShapeBag bag = {{{64}, 2}, {{96, 64}, 1}, {{64, 64}, 1}, {{320, 64}, 1}, {{64, 160}, 1}};
  const ShapeFit fit = fit_shapes(layer_of(test::family_called("phi3")), bag, width(64));
  CHECK(fit.missing == 0);
  CHECK(fit.sizes.find(Symbol::kv) == 16);
  CHECK(fit.sizes.find(Symbol::ffn) == 160);
}

TEST_CASE("experts are counted by their router, flat ones too") {
  const ShapeBag bag = {{{64}, 2}, {{128, 64}, 1}, {{64, 64}, 1}, {{4, 64}, 1}, {{640, 64}, 3}};
  const ShapeFit fit = fit_shapes(layer_of(test::family_called("dbrx")), bag, width(64));
  CHECK(fit.missing == 0);
  CHECK(fit.matched == 8);
  CHECK(fit.sizes.find(Symbol::experts) == 4);
  CHECK(fit.sizes.find(Symbol::ffn) == 160);
  CHECK(fit.sizes.find(Symbol::kv) == 32);
}

TEST_CASE("nothing is explained of nothing") {
  const ShapeFit fit = fit_shapes(layer_of(test::family_called("olmo")), {}, width(64));
  CHECK(fit.matched == 0);
  CHECK(fit.missing == 7);
}

}  // namespace
}  // namespace pedigree
