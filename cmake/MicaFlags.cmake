# mica_flags: how everything of Mica's own is compiled. C11 without extensions, many warnings, optional sanitizers.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

add_library(mica_flags INTERFACE)
if(NOT MSVC)
    target_compile_options(mica_flags INTERFACE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla
        -Wundef -Wdouble-promotion -Wformat=2)
    if(MICA_WERROR)
        target_compile_options(mica_flags INTERFACE -Werror)
    endif()
endif()

if(MICA_SANITIZE)
    set(sanitizers -fsanitize=${MICA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(mica_flags INTERFACE ${sanitizers})
    target_link_options(mica_flags INTERFACE -fsanitize=${MICA_SANITIZE})
endif()
if(MICA_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "MICA_FUZZ needs clang: configure with CC=clang")
    endif()
    target_compile_options(mica_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
