// A MODEL argument, opened: weights with their files, or a fingerprint alone;
// and the store that opens each of them once.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "fingerprint/fingerprint.h"
#include "model/model.h"
#include "report/report.h"

namespace pedigree {

struct Opened {
  std::string path;
  // One of the two is there: the weights, or what a fingerprint file holds.
  std::unique_ptr<Model> model;
  std::unique_ptr<const Fingerprint> stored;

  // Samples already taken of `model`: by token, and by row number.
  std::optional<Fingerprint> by_token;
  std::optional<Fingerprint> by_row;

  const std::string& name() const { return model ? model->name : stored->name; }
};

// A directory, weight file, index or fingerprint file.
Result<std::shared_ptr<Opened>> open_argument(const std::string& path);

// Keeps what was used last, within bounds of count and of open files.
class OpenedStore {
 public:
  Result<std::shared_ptr<Opened>> open(const std::string& path);

  // Opens two at the same time, so that open() finds them; what fails is left to open().
  void open_ahead(const std::string& first, const std::string& second, unsigned threads);

 private:
  std::shared_ptr<Opened> kept(const std::string& path);
  void make_room();

  std::list<std::shared_ptr<Opened>> recent_;  // last used first
};

Subject subject_of(const Opened& opened);

// Would this problem, in a file that was needed, hide the answer? Problems that
// leave the rest trustworthy do not.
bool hides_the_answer(const Problem& problem);

// What a model's problems leave of it.
enum class Standing {
  readable,
  unreadable,  // they may hide the answer
  nothing      // there are no weights, or nothing but pointers to them
};
Standing standing_of(const Model& model);

// Tensors whose sampled values hold NaN or infinity, as one problem of `name`.
std::optional<Problem> not_finite(const Fingerprint& fingerprint, const std::string& name);

// Adds `problem`, once, and what it means for the exit status.
void fail(Report& report, Problem problem);

// Adds the problems of a model that was opened, likewise.
void take_problems(Report& report, const Opened& opened);

// What only shows when weights are read: every verb but `inspect` says it.
void take_contradictions(Report& report, const Opened& opened);

// The secret bytes of --salt FILE; none for "". An empty or overlong file is an error.
Result<std::string> read_salt(const std::string& path);

Report new_report(std::string command);

}  // namespace pedigree
