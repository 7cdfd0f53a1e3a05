# synod_module(NAME SOURCES a.cc ... [DEPS ...] [PRIVATE_DEPS ...])
#   One folder of the house as one static library. Sources are listed, never globbed.
function(synod_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS} synod_warnings)
endfunction()

# synod_planted_module(NAME SOURCES ...): the same sources with planted bugs compiled in, switched by
#   base/plant.h. Only tests that measure tests link it.
function(synod_planted_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_compile_definitions(${name} PUBLIC SYNOD_PLANTS)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE synod_warnings)
endfunction()

# synod_binary(NAME SOURCES ... DEPS ...): an executable that ships in build/<preset>/bin.
function(synod_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} synod_warnings)
endfunction()

# synod_test(NAME SOURCES ... DEPS ... [LABEL unit|scenario|sim|cluster|host|fuzz] [TIMEOUT seconds]
#            [SERIAL])
#   One GoogleTest binary for one folder; every case is a ctest entry of its own. Label host: needs
#   root on a machine with network namespaces, loop devices and ptrace. SERIAL: no other entry runs
#   beside it.
function(synod_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gtest_main synod_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  gtest_discover_tests(${name} TEST_PREFIX "${name}/" DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
      RUN_SERIAL ${ARG_SERIAL})
endfunction()

# synod_fuzzer(NAME SOURCES fuzz.cc DEPS ... CORPUS dir)
#   With SYNOD_FUZZ (clang) a libFuzzer binary; otherwise the same source is linked to a driver
#   that replays the corpus, so that every build checks past findings.
function(synod_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(SYNOD_FUZZ)
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} synod_warnings)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz/${name} COMMAND ${name} -runs=0 "${ARG_CORPUS}")
  else()
    target_sources(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/replay_main.cc")
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} synod_warnings)
    add_test(NAME fuzz/${name} COMMAND ${name} "${ARG_CORPUS}")
  endif()
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

if(SYNOD_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  include(GoogleTest)
endif()
