// Pickles and archives put together instruction by instruction, so that a test can
// say exactly what a hostile file says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pedigree {

namespace made_pickle {

std::string name(std::string_view module, std::string_view item);
std::string text(std::string_view value);
std::string number(std::int64_t value);
std::string row(const std::vector<std::string>& items);
std::string call(const std::string& callee, const std::vector<std::string>& arguments);
std::string mapping(const std::vector<std::pair<std::string, std::string>>& items);
std::string storage(std::string_view key, std::int64_t elements,
                    std::string_view kind = "FloatStorage");
// A view of `held`: first element, sizes, strides.
std::string tensor(const std::string& held, std::int64_t first,
                   const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides);
std::string whole(const std::string& body, char protocol = 2);

}  // namespace made_pickle

// A zip archive of members stored as they are, as torch.save writes one.
std::string made_zip(const std::vector<std::pair<std::string, std::string>>& members);

// The archive of a pickle and its storages "0", "1", …
std::string made_torch_zip(const std::string& pickle, const std::vector<std::string>& storages);

// The file torch.save wrote before 1.6; `elements` of each storage stand in it.
std::string made_torch_legacy(const std::string& pickle,
                              const std::vector<std::pair<std::uint64_t, std::string>>& storages);

std::string made_floats(const std::vector<float>& values);

}  // namespace pedigree
