// Every problem code there is. Add a row here before using a new code; the unit
// tests hold the table to having a meaning and a remedy for each, and a test
// that produces it.
#include "base/problem.h"

namespace pedigree {
namespace {

using enum Severity;

constexpr ProblemKind kinds[] = {
    // Reading bytes at all
    {"io-error", error, "The operating system refused to open or read a file.",
     "Check that the path exists and that you may read it."},
    {"io-short-read", error, "A file ended before the bytes it promised.",
     "Download the file again; it is truncated or still being written."},
    {"file-changed-while-reading", error, "A file's size or time changed during the run.",
     "Wait until nothing writes to the model, then run again."},
    {"not-a-regular-file", error, "The path is a device, socket, pipe or directory loop.",
     "Give a regular file or a model directory."},
    {"path-escape", error, "A name inside the model points outside the model's directory.",
     "Do not load this model; ask its publisher for a clean copy."},
    {"symlink-escape", error, "A symbolic link leads outside the model's directory.",
     "Copy the model with links resolved, or pass the directory that holds the link's target."},
    {"too-many-files", error, "The directory holds more files than a model plausibly has.",
     "Point pedigree at the model's own directory."},

    // What the input is
    {"no-weights", error, "No weight file was found.",
     "Give a directory or file that holds model weights."},
    {"not-a-model", error, "The input is not a model, a weight file or a fingerprint.",
     "Run `pedigree --help` for what MODEL may be."},
    {"weights-not-downloaded", error, "A git-lfs pointer stands where weights should be.",
     "Run `git lfs pull`, or download the file itself."},
    {"not-a-weight-file", error, "A file with a weight file's name holds something else.",
     "Look at the file: it is often an error page saved in place of the download."},
    {"format-mismatch", warning, "A file's name promises another format than its content is.",
     "Rename the file, and ask why it was named so; it was read by content."},
    {"format-unsupported", warning, "The file's format is recognised but not read yet.",
     "Convert the weights to safetensors to have them compared."},
    {"incomplete-download", warning, "A partial download lies beside the weights.",
     "Finish or remove the download."},

    // safetensors
    {"safetensors-header-length", error,
     "The header length does not fit the file or the 100 MB cap.",
     "The file is truncated or not safetensors; download it again."},
    {"safetensors-header-json", error, "The header is not the JSON the format asks for.",
     "Re-save the file with an official safetensors writer."},
    {"safetensors-header-whitespace", warning, "The header does not begin with '{'.",
     "Re-save the file with an official safetensors writer."},
    {"duplicate-key", error, "One name stands twice where names must be unique.",
     "Ask the publisher which entry is meant; readers disagree about such files."},
    {"safetensors-entry", error, "A tensor entry lacks a field or has one of the wrong kind.",
     "Re-save the file with an official safetensors writer."},
    {"safetensors-shape", error, "A tensor's shape does not give the size of its bytes.",
     "Re-save the file with an official safetensors writer."},
    {"safetensors-offsets", error, "Tensor data overlap, leave holes or lie outside the file.",
     "Re-save the file; bytes outside tensors can hide content."},
    {"safetensors-metadata", error, "__metadata__ is not a map from string to string.",
     "Re-save the file with an official safetensors writer."},
    {"unsupported-encoding", warning, "An element type is unknown; its bytes were not interpreted.",
     "Update pedigree, or convert the tensor to a known type."},
    {"name-not-utf8", warning, "A name is not valid UTF-8; bad bytes are shown percent-escaped.",
     "Rename the tensor with valid UTF-8."},
    {"limit-exceeded", error, "A count or size in the file is beyond what is read.",
     "Such files are not produced by known tools; inspect it by hand."},

    // Sharded index
    {"index-malformed", error, "The shard index is not the JSON the layout asks for.",
     "Download the index again."},
    {"index-missing-shard", error, "The index names a shard that is not there.",
     "Download the missing shard."},
    {"index-extra-shard", warning, "A shard of the same family is not named by the index.",
     "Remove the left-over shard or fix the index."},
    {"index-missing-tensor", error, "The index names a tensor that its shard does not hold.",
     "Download index and shards from the same revision."},
    {"index-wrong-shard", error, "A tensor lies in another shard than the index says.",
     "Download index and shards from the same revision."},
    {"index-duplicate-tensor", error, "A tensor lies in two shards.",
     "Ask the publisher which copy is meant; loaders pick one silently."},
    {"index-unlisted-tensor", warning, "A shard holds a tensor that the index does not list.",
     "Loaders ignore it; ask the publisher what it is for."},
    {"index-size-mismatch", warning, "The index's total size differs from the tensors' bytes.",
     "Download index and shards from the same revision."},
    {"index-path-escape", error, "The index names a shard outside the model's directory.",
     "Do not load this model; ask its publisher for a clean copy."},
    {"index-stale-family", warning, "Two complete sets of weights lie in one directory.",
     "Keep the set you mean to load; loaders choose by their own preference."},

    // Manifest
    {"json-malformed", error, "A JSON file cannot be parsed.", "Fix the file at the place named."},
    {"json-duplicate-key", warning, "A JSON object has one key twice; the last one counts.",
     "Remove the earlier entry."},
    {"json-number-range", error, "An integer is beyond 64 bits and would be rounded.",
     "Write the number within 64 bits."},
    {"json-byte-order-mark", note, "A JSON file begins with a byte order mark.",
     "Save the file as UTF-8 without a byte order mark."},
    {"json-nan", warning, "A JSON file holds NaN or Infinity, which JSON does not have.",
     "Replace the literal by null or a number."},
    {"card-missing", note, "There is no model card (README.md).",
     "Add a card that names base_model and license."},
    {"card-unparsed", warning, "The model card's front matter was not understood.",
     "Fix the YAML between the two --- lines at the place named."},
    {"card-base-model-missing", note, "The model card names no base_model.",
     "Name the base model, or say that there is none."},
    {"config-missing", note, "There is no config.json.", "Add the model's config.json."},
    {"config-weights-mismatch", warning, "config.json contradicts the tensors.",
     "Ask the publisher; the tensors were believed."},
    {"config-quantization-mismatch", warning,
     "config.json declares a quantisation that the tensors do not show.",
     "Ask the publisher which is right."},
    {"remote-code", warning, "Loading this model by its config runs code from the model's author.",
     "Read that code before you load the model elsewhere; pedigree never runs it."},
    {"tokenizer-malformed", warning, "The tokenizer file was not understood.",
     "Download the tokenizer again; tokens are matched by row number instead."},
    {"tokenizer-vocab-mismatch", warning,
     "The tokenizer has more tokens than the embedding has rows.",
     "Ask the publisher for the tokenizer that belongs to these weights."},
    {"architecture-unknown", warning, "No known family's tensor names fit.",
     "Roles were taken from shapes and order; check the layer table."},
    {"layers-not-contiguous", warning, "Layer numbers do not run from 0 without gaps.",
     "Check for missing shards; pruned models renumber their layers."},
    {"adapter-keys-in-model", warning, "Adapter matrices lie among the model's weights.",
     "Merge the adapter or ship it apart."},
    {"training-state-present", note, "Optimizer or trainer state lies beside the weights.",
     "Remove it before publishing; it can tell more than you mean to."},
    {"auxiliary-file-unreadable", warning, "A side file is too large or not readable.",
     "Check the file; it was left out of the claims."},

    // Numbers
    {"tensor-not-finite", warning, "A tensor holds NaN or infinity.",
     "The tensor was left out of the evidence; ask the publisher."},

    // Fingerprints, digests and reports
    {"fingerprint-malformed", error, "The fingerprint file is damaged or not one of ours.",
     "Make the fingerprint again with `pedigree fingerprint`."},
    {"fingerprint-scheme", error, "Two fingerprints were made by different schemes.",
     "Make both with the same version and options, then compare."},
    {"digest-mismatch", error, "A file's digest differs from the expected one.",
     "Download the file again, and find out why it changed."},
    {"digest-list-malformed", error, "The list of expected digests was not understood.",
     "Give sha256sum output or git-lfs pointers."},
    {"digest-file-missing", error, "A file named in the digest list is not there.",
     "Download the missing file."},
    {"pairs-malformed", error, "A line of the pairs file is not SUSPECT<TAB>BASE.",
     "Separate the fields by one tab."},
    {"output-error", error, "A report could not be written.",
     "Check that the directory exists and has room."},
    {"interrupted", error, "The run was interrupted.", "Run again; nothing partial was written."},
    {"not-available-yet", error, "The feature is named in the contract but not built yet.",
     "See the changelog for what this version does."},
};

}  // namespace

std::span<const ProblemKind> problem_kinds() { return kinds; }

}  // namespace pedigree
