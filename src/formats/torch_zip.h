// A PyTorch archive: data.pkl, and the storages as members beside it.
#pragma once

#include "formats/formats.h"
#include "formats/zip_directory.h"

namespace pedigree {

// The folder of data.pkl ("archive/", "" at the top), or none when there is none.
std::optional<std::string> torch_root(const ZipDirectory& zip);

// Lists the tensors of the archive whose members are `zip`. Costs the pickle.
WeightFile read_torch_archive(const Source& source, const ZipDirectory& zip, const Limits& limits);

}  // namespace pedigree
