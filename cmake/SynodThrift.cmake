# synod_thrift(NAME FILE x.thrift SERVICES A B OPTIONS cob_style): generated C++ in the build tree,
# never committed, as the static library NAME.
find_program(THRIFT_COMPILER thrift REQUIRED)
function(synod_thrift name)
  cmake_parse_arguments(ARG "" "FILE;OPTIONS" "SERVICES" ${ARGN})
  get_filename_component(stem "${ARG_FILE}" NAME_WE)
  set(out "${CMAKE_BINARY_DIR}/gen/${name}")
  set(sources "${out}/${stem}_types.cpp")
  foreach(service ${ARG_SERVICES})
    list(APPEND sources "${out}/${service}.cpp")
  endforeach()
  set(generator cpp:no_skeleton,moveable_types)
  if(ARG_OPTIONS)
    set(generator "${generator},${ARG_OPTIONS}")
  endif()
  add_custom_command(OUTPUT ${sources}
    COMMAND ${CMAKE_COMMAND} -E make_directory "${out}"
    COMMAND "${THRIFT_COMPILER}" --gen ${generator} -out "${out}" "${ARG_FILE}"
    DEPENDS "${ARG_FILE}" VERBATIM)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC "${out}")
  target_link_libraries(${name} PUBLIC PkgConfig::THRIFT Boost::boost)
endfunction()
