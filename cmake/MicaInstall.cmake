# Install rules: headers, both libraries, the program, find_package(mica), mica.pc and mica-static.pc.
include(CMakePackageConfigHelpers)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mica)

install(DIRECTORY include/mica DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS mica_static mica_shared EXPORT mica
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET mica)
    install(TARGETS mica RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT mica NAMESPACE mica:: FILE mica-targets.cmake DESTINATION ${config_folder})
configure_package_config_file(cmake/mica-config.cmake.in mica-config.cmake INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(mica-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mica-config.cmake ${PROJECT_BINARY_DIR}/mica-config-version.cmake
    cmake/FindcJSON.cmake cmake/FindxxHash.cmake cmake/FindZIP.cmake DESTINATION ${config_folder})

# The folders of the .pc files, relative to their own place, so that an installed tree can be moved.
# With --static, libzip.pc would ask for what a static libzip needs, which a machine with the shared one lacks: so mica.pc names
# the library alone.
set(pc_zip)
set(pc_zip_alone)
if(ZIP_FOUND)
    set(pc_zip " libzip")
    set(pc_zip_alone " -lzip")
endif()
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/mica.pc.in mica.pc @ONLY)
configure_file(cmake/mica-static.pc.in mica-static.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mica.pc ${PROJECT_BINARY_DIR}/mica-static.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
