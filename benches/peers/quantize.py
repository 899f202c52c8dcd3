"""A GGUF file in another format, by llama.cpp's own quantiser: quantize.py FROM TO q8_0|q4_0|q4_k_m THREADS

`q4_0` leaves the embeddings, which are the head too, at Q6_K, as published files have it.
Runs in venv-llama.
"""

import sys

import llama_cpp

FORMATS = {"q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
           "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M}


def main():
    """See the file's header."""
    source, target, name, threads = sys.argv[1:]
    llama_cpp.llama_backend_init()
    options = llama_cpp.llama_model_quantize_default_params()
    options.nthread = int(threads)
    options.ftype = FORMATS[name]
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), options) != 0:
        sys.exit(f"llama.cpp could not write {target}")


if __name__ == "__main__":
    main()
