// The rows of the table in formats.cc, each defined in the .cc it is named for.
#pragma once

#include "formats/formats.h"

namespace pedigree {

extern const Format safetensors_format;
extern const Format gguf_format;
extern const Format npy_format;
extern const Format pickle_format;  // torch_legacy.cc

// zip_archives.cc
extern const Format torch_zip_format;
extern const Format npz_format;
extern const Format zip_format;

extern const Format onnx_format;

// unread_formats.cc: recognised and named, so that a report can say what a file
// is, but not read.
extern const Format old_ggml_format;
extern const Format hdf5_format;
extern const Format tflite_format;
extern const Format saved_model_format;
extern const Format core_ml_format;
extern const Format flax_format;
extern const Format ocdbt_format;
extern const Format executorch_format;
extern const Format ort_format;
extern const Format tensorrt_format;
extern const Format openvino_format;
extern const Format torch_1_0_format;
extern const Format llamafile_format;
extern const Format compressed_format;

}  // namespace pedigree
