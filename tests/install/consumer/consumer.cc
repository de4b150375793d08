// An application in C++. It works on a machine without any OpenCL device too.
#include <mica/mica.h>
#include <cstdio>
#include <cstring>

int main()
{
    const int height = 28;
    const std::size_t width = 14;
    mica_shape image = MICA_SHAPE(1, height, width), scalar = MICA_SHAPE(3);
    if (image.rank != 3 || image.dim[0] != 1 || image.dim[1] != 28 || image.dim[2] != 14 || scalar.rank != 1 || scalar.dim[0] != 3)
        return 1;
    mica_dense_desc dense = mica_dense_desc();
    dense.units = 3;
    mica_conv_desc conv = mica_conv_desc();
    conv.filters = 8;
    conv.kernel_size[0] = 3;
    if (mica_dense(nullptr, &dense) || mica_conv2d(nullptr, &conv)) // NULL in, NULL out
        return 1;
    char version[32];
    std::snprintf(version, sizeof version, "%d.%d.%d", MICA_VERSION_MAJOR, MICA_VERSION_MINOR, MICA_VERSION_PATCH);
    if (std::strcmp(version, mica_version()) || MICA_VERSION < 100)
        return 1;
    mica_devices *found = mica_devices_find();
    if (!found)
        return 1;
    std::printf("mica %s\n", mica_version());
    mica_devices_destroy(found);
    return 0;
}
