// SPDX-License-Identifier: Apache-2.0
//
// Writes one seed for each sample message into the folder named on the command line.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "consensus/wire/codec.h"
#include "tests/consensus_wire/samples.h"

int main(int argc, char** argv) {
  using namespace synod::consensus;
  if (argc != 2) {
    std::fprintf(stderr, "usage: wire_corpus <folder>\n");
    return 2;
  }
  for (const Sample& sample : wire_samples()) {
    std::ofstream file(std::filesystem::path(argv[1]) / (sample.name + ".frame"),
                       std::ios::binary | std::ios::trunc);
    file << encode_frame(kSampleCluster, sample.envelope);
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write %s\n", sample.name.c_str());
      return 1;
    }
  }
  return 0;
}
