# synod_grpc(NAME FILE x.proto): generated C++ in the build tree, never committed, as the static
# library NAME. pkg-config, not gRPC's own CMake files: Debian's name targets that are not packaged.
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++ protobuf)
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
function(synod_grpc name)
  cmake_parse_arguments(ARG "" "FILE" "" ${ARGN})
  get_filename_component(stem "${ARG_FILE}" NAME_WE)
  get_filename_component(folder "${ARG_FILE}" DIRECTORY)
  set(out "${CMAKE_BINARY_DIR}/gen/${name}")
  set(sources "${out}/${stem}.pb.cc" "${out}/${stem}.grpc.pb.cc")
  add_custom_command(OUTPUT ${sources} "${out}/${stem}.pb.h" "${out}/${stem}.grpc.pb.h"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${out}"
    COMMAND "${PROTOC}" -I "${folder}" "--cpp_out=${out}" "--grpc_out=${out}"
            "--plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN}" "${ARG_FILE}"
    DEPENDS "${ARG_FILE}" VERBATIM)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC "${out}")
  target_link_libraries(${name} PUBLIC PkgConfig::GRPC)
endfunction()
