# What every target of Hearth shares: include root, warnings, hardening, sanitizers.

set(HEARTH_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them; empty: none")
option(HEARTH_COVERAGE "Count executed lines (gcov)" OFF)

add_library(hearth-flags INTERFACE)
target_include_directories(hearth-flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(hearth-flags INTERFACE
    _GNU_SOURCE _FILE_OFFSET_BITS=64
    HEARTH_VERSION="${PROJECT_VERSION}"
    GLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_74)
target_compile_options(hearth-flags INTERFACE
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wwrite-strings -Wvla -Wno-unused-parameter -fno-common -fstack-protector-strong)
# An optimised build defines its own fortify level; Debian's default flags may name another.
target_compile_options(hearth-flags INTERFACE
    $<$<CONFIG:RelWithDebInfo>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
target_link_options(hearth-flags INTERFACE -Wl,-z,relro,-z,now)

if(HEARTH_SANITIZE)
    target_compile_options(hearth-flags INTERFACE
        -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1)
    target_link_options(hearth-flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()
if(HEARTH_SANITIZE STREQUAL "thread")
    # Linked whole into programs (hearth_watch_glib): its functions stand before GLib's.
    pkg_check_modules(TSAN_GLIB REQUIRED IMPORTED_TARGET glib-2.0)
    add_library(hearth-tsan-glib OBJECT ${CMAKE_SOURCE_DIR}/tests/tsan-glib.c)
    # Each of its functions is to be seen in what the sanitizer says of a stack.
    target_compile_options(hearth-tsan-glib PRIVATE
        -fsanitize=thread -Wno-error -fno-optimize-sibling-calls)
    target_link_libraries(hearth-tsan-glib PRIVATE PkgConfig::TSAN_GLIB)
endif()
if(HEARTH_COVERAGE)
    target_compile_options(hearth-flags INTERFACE --coverage)
    target_link_options(hearth-flags INTERFACE --coverage)
endif()

# hearth_watch_glib(NAME): a program with GLib whose threads ThreadSanitizer is to understand.
function(hearth_watch_glib name)
    if(TARGET hearth-tsan-glib)
        target_sources(${name} PRIVATE $<TARGET_OBJECTS:hearth-tsan-glib>)
    endif()
endfunction()

# hearth_library(NAME SOURCES... LINK LIBS...): one static library of a folder.
function(hearth_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
    add_library(${name} STATIC ${A_SOURCES})
    target_link_libraries(${name} PUBLIC hearth-flags ${A_LINK})
endfunction()

# hearth_program(NAME SOURCES... LINK LIBS...): one executable, in build/…/bin.
function(hearth_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE hearth-flags ${A_LINK})
endfunction()

# hearth_test(NAME SOURCES... LINK LIBS... [LABELS ...] [TIMEOUT S] [WRAPPER ARGV...] [ENVIRONMENT K=V...]):
# one program on GLib's test framework, run by ctest with TAP output; exit 77 is a skip.
function(hearth_test name)
    cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LINK;LABELS;WRAPPER;ENVIRONMENT" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE hearth-flags ${A_LINK})
    hearth_watch_glib(${name})
    add_test(NAME ${name} COMMAND ${A_WRAPPER} $<TARGET_FILE:${name}> --tap)
    # For what hangs; a loaded machine with sanitizers takes a third of this for the longest.
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 180)
    endif()
    if(NOT A_LABELS)
        set(A_LABELS quick)
    endif()
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}" SKIP_RETURN_CODE 77
        FAIL_REGULAR_EXPRESSION "^not ok"
        ENVIRONMENT "G_SLICE=always-malloc;TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.suppressions;HEARTH_BIN=${CMAKE_BINARY_DIR}/bin;HEARTH_SOURCE=${CMAKE_SOURCE_DIR};${A_ENVIRONMENT}")
endfunction()
