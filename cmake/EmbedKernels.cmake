# Turns kernels/*.cl into one C source, a table of bytes (src/device/kernels.h), with nothing but CMake.
#
# Included, this defines mica_embed_kernels; run with `cmake -P` it writes the source.

function(mica_embed_kernels out)
    set(source ${PROJECT_BINARY_DIR}/generated/kernels.c)
    file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cl)
    string(REPLACE ";" "," joined "${kernels}")
    add_custom_command(OUTPUT ${source}
        COMMAND ${CMAKE_COMMAND} -D "KERNELS=${joined}" -D "SOURCE=${source}" -P
                ${PROJECT_SOURCE_DIR}/cmake/EmbedKernels.cmake
        DEPENDS ${kernels} ${PROJECT_SOURCE_DIR}/cmake/EmbedKernels.cmake
        COMMENT "Embedding kernels" VERBATIM)
    set(${out} ${source} PARENT_SCOPE)
endfunction()

# The bytes of a file as C numbers, sixteen a line.
function(bytes_of file out)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    set(${out} "${hex}" PARENT_SCOPE)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    return()
endif()

string(REPLACE "," ";" KERNELS "${KERNELS}")
set(arrays "")
set(rows "")
set(count 0)
foreach(kernel IN LISTS KERNELS)
    get_filename_component(name ${kernel} NAME)
    bytes_of(${kernel} bytes)
    # A zero byte ends each text, and is not counted in its size.
    string(APPEND arrays "static const unsigned char text_${count}[] = {\n    ${bytes}0x00};\n\n")
    string(APPEND rows "    {\"${name}\", text_${count}, sizeof text_${count} - 1},\n")
    math(EXPR count "${count} + 1")
endforeach()
# The last row is empty, so that the table is valid C even without a kernel.
file(WRITE ${SOURCE} "/* Generated from kernels/ by cmake/EmbedKernels.cmake. */\n#include \"device/kernels.h\"\n\n"
    "${arrays}const struct mi_kernel_file mi_kernel_files[] = {\n${rows}    {0, 0, 0},\n};\n"
    "const size_t mi_kernel_file_count = ${count};\n")
