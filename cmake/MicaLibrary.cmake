# The library: one object library for each folder of src/, in the order of docs/design.md; together they are mica_static
# and mica_shared. OpenCL and CLBlast are opened at run time, so only their headers are needed here.

set(MICA_FOLDERS base json device graph ops emit nest engines plan compile tune nn data formats train job report bench)

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(cJSON REQUIRED MODULE)
find_package(xxHash REQUIRED MODULE)
if(MICA_LIBZIP)
    find_package(ZIP MODULE)
    if(NOT ZIP_FOUND)
        message(STATUS "libzip is missing (libzip-dev): .npz files cannot be read")
    endif()
endif()

# find_header(VARIABLE header package): a folder that holds `header`, or an error naming the Debian package.
function(find_header variable header package)
    find_path(${variable} ${header})
    mark_as_advanced(${variable})
    if(NOT ${variable})
        message(FATAL_ERROR "${header} is missing: install ${package}, or set ${variable} to the folder that holds it")
    endif()
endfunction()
find_header(OPENCL_INCLUDE_DIR CL/cl.h opencl-headers)
find_header(RANDOM123_INCLUDE_DIR Random123/philox.h librandom123-dev)
if(MICA_CLBLAST)
    find_header(CLBLAST_INCLUDE_DIR clblast_c.h "libclblast-dev (or configure with -DMICA_CLBLAST=OFF)")
endif()

set(MICA_LIBM)
if(UNIX)
    set(MICA_LIBM m)
endif()

# Headers for Mica's own folders; none of this reaches an installed target.
add_library(mica_internal INTERFACE)
target_include_directories(mica_internal INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_include_directories(mica_internal SYSTEM INTERFACE
    ${OPENCL_INCLUDE_DIR} ${RANDOM123_INCLUDE_DIR} ${CLBLAST_INCLUDE_DIR})
target_compile_definitions(mica_internal INTERFACE MICA_BUILDING $<$<BOOL:${MICA_CLBLAST}>:MICA_CLBLAST=1>)
if(ZIP_FOUND)
    target_compile_definitions(mica_internal INTERFACE MICA_LIBZIP=1)
endif()
set(MICA_PRIVATE_LIBRARIES cJSON::cJSON xxHash::xxHash ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS} ${MICA_LIBM})
if(ZIP_FOUND)
    list(APPEND MICA_PRIVATE_LIBRARIES ZIP::ZIP)
endif()

include(EmbedKernels)

set(objects)
foreach(folder IN LISTS MICA_FOLDERS)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.c)
    if(folder STREQUAL "device" AND EXISTS ${PROJECT_SOURCE_DIR}/src/device/kernels.h)
        mica_embed_kernels(kernels_source)
        list(APPEND sources ${kernels_source})
    endif()
    if(sources)
        add_library(mica_${folder} OBJECT ${sources})
        set_target_properties(mica_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
        target_link_libraries(mica_${folder} PRIVATE mica_flags mica_internal ${MICA_PRIVATE_LIBRARIES})
        list(APPEND objects $<TARGET_OBJECTS:mica_${folder}>)
    endif()
endforeach()

add_library(mica_static STATIC ${objects})
add_library(mica_shared SHARED ${objects})
foreach(library mica_static mica_shared)
    target_include_directories(${library} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_include_directories(${library} SYSTEM PUBLIC $<BUILD_INTERFACE:${OPENCL_INCLUDE_DIR}>)
    target_compile_features(${library} PUBLIC c_std_11)
    target_link_libraries(${library} PRIVATE $<BUILD_INTERFACE:mica_flags> ${MICA_PRIVATE_LIBRARIES})
    set_target_properties(${library} PROPERTIES OUTPUT_NAME mica LINKER_LANGUAGE C)
endforeach()
# Until 1.0 every minor version may change the binary interface, so it is part of the shared library's name.
set_target_properties(mica_shared PROPERTIES VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} EXPORT_NAME shared)
set_target_properties(mica_static PROPERTIES EXPORT_NAME static)
if(UNIX AND NOT APPLE AND NOT MICA_SANITIZE AND NOT MICA_FUZZ)
    target_link_options(mica_shared PRIVATE -Wl,--no-undefined)
endif()

if(BUILD_SHARED_LIBS)
    add_library(mica::mica ALIAS mica_shared)
else()
    add_library(mica::mica ALIAS mica_static)
endif()
