// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <cstdlib>
#include <iostream>

#include "tests/suite/model_server.h"

/// Serves the model on a given port until SIGTERM: a server for clients in other languages.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: suite-model-server PORT\n";
    return 2;
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  // Before any thread starts, so that all of them inherit it.
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  const synod::suite::ModelServer server(std::atoi(argv[1]));
  int number = 0;
  sigwait(&stop, &number);
  return 0;
}
