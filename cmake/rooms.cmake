# pedigree_room(NAME SEES lower… USES packages… DOORS headers… SETS folders…): one
# static library from the folder src/NAME. The folder is the list of sources; *.json
# files in it (at any depth) are embedded as bytes, so the binary needs no file at
# run time; those of a folder after SETS by themselves, as embedded_<folder>(). Other rooms may include NAME/NAME.h, what that includes of its own
# room, and the headers after DOORS; scripts/check_layers.py reads these lines.

# Compiling the same bytes again is free where ccache is there, in every clone.
find_program(PEDIGREE_CCACHE ccache)
if(PEDIGREE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=1 ${PEDIGREE_CCACHE})
endif()

add_library(pedigree_options INTERFACE)
target_include_directories(pedigree_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(pedigree_options INTERFACE
  EIGEN_DONT_VECTORIZE EIGEN_DONT_PARALLELIZE EIGEN_MPL2_ONLY
  PEDIGREE_VERSION="${PROJECT_VERSION}"
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
# -Wnull-dereference and -Wrestrict where nothing is inlined: optimising, GCC 12 sees
# null pointers and overlaps in its own strings, and people who just build would read
# pages of it.
target_compile_options(pedigree_options INTERFACE
  -ffp-contract=off -fstack-protector-strong
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual $<$<CONFIG:Debug>:-Wnull-dereference>
  $<$<NOT:$<CONFIG:Debug>>:-Wno-restrict> -Wdouble-promotion -Wformat=2
  -Wimplicit-fallthrough -Wcast-align -Wundef -Wredundant-decls)
if(PEDIGREE_WARNINGS_FATAL)
  target_compile_options(pedigree_options INTERFACE -Werror)
endif()
target_link_options(pedigree_options INTERFACE -Wl,-z,relro,-z,now)

# Sets `embedded` to a source that holds FILES and defines embedded_<NAME>().
function(pedigree_embed name files)
  set(source ${CMAKE_BINARY_DIR}/embedded/${name}_data.cc)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DOUT=${source} -DROOM=${name} "-DFILES=${files}"
            -P ${CMAKE_SOURCE_DIR}/scripts/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/scripts/embed.cmake VERBATIM)
  set(embedded ${source} PARENT_SCOPE)
endfunction()

function(pedigree_room name)
  cmake_parse_arguments(room "" "" "SEES;USES;DOORS;SETS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  file(GLOB_RECURSE data CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.json)
  if(name STREQUAL "tasks")
    file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.json)
    list(APPEND data ${schemas})
  endif()
  foreach(set IN LISTS room_SETS)
    set(members ${data})
    list(FILTER members INCLUDE REGEX "/${set}/")
    list(FILTER data EXCLUDE REGEX "/${set}/")
    pedigree_embed(${set} "${members}")
    list(APPEND sources ${embedded})
  endforeach()
  if(data)
    pedigree_embed(${name} "${data}")
    list(APPEND sources ${embedded})
  endif()
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE pedigree_options ${room_SEES} ${room_USES})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME pedigree_${name})
  target_link_libraries(${name} PUBLIC pedigree_options ${room_SEES} ${room_USES})
  if(name MATCHES "^(tensor|fingerprint|compare)$")
    # The numeric rooms: unoptimised they would spend most of the tests' time, and GCC 12
    # turns loops into vectors at -O3 only. GCC 12 sees null pointers in its own strings
    # once it inlines them.
    target_compile_options(${name} PRIVATE $<IF:$<CONFIG:Debug>,-O1,-O3>)
    set_source_files_properties(${sources} PROPERTIES
      COMPILE_OPTIONS $<$<CONFIG:Debug>:-Wno-null-dereference>)
  endif()
endfunction()

function(pedigree_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE cli)
endfunction()
