#!/usr/bin/env bash
# Brings the peers of the race onto a Debian machine: PyTorch, and in a folder of their own what makes it fastest (the
# OpenMP build of OpenBLAS, and tcmalloc), and the JavaScript peers. Usage: setup.sh [DIR]. Needs root for apt-get.
set -euo pipefail
dir=${1:-$HOME/.cache/charloom-peers}
mkdir -p "$dir/debs"
cd "$dir"

# With libopenblas0, which Debian recommends with PyTorch: without it, PyTorch multiplies with the reference BLAS.
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
  python3-torch python3-numpy libopenblas0 gcc libc6-dev >/dev/null
(cd debs && apt-get -qq download libopenblas0-openmp libtcmalloc-minimal4)
for package in debs/*.deb; do dpkg -x "$package" extracted; done

# The kernels of OpenBLAS for this processor: by itself it takes those for AVX2 on many that have AVX-512. Its threads
# have to be those of PyTorch (OpenMP): with threads of its own, both fight for the cores.
lib=$(dirname "$(find "$PWD/extracted" -name 'libtcmalloc_minimal.so.4')")
{
  echo "LD_LIBRARY_PATH=$lib/openblas-openmp"
  echo "LD_PRELOAD=$lib/libtcmalloc_minimal.so.4"
  if grep -qw avx512_bf16 /proc/cpuinfo; then
    echo OPENBLAS_CORETYPE=Cooperlake
  elif grep -qw avx512f /proc/cpuinfo; then
    echo OPENBLAS_CORETYPE=SkylakeX
  fi
  if grep -qw avx512f /proc/cpuinfo; then echo ATEN_CPU_CAPABILITY=avx512; fi
} >pytorch-tuned.env

# None of them needs its install script: those fetch GPU libraries, or compile what the race does not use.
[ -f package.json ] || echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
  @tensorflow/tfjs @tensorflow/tfjs-backend-wasm @jax-js/jax brain.js@2.0.0-beta.24 onnxruntime-node
echo "the peers are in $dir"
