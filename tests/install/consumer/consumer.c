/* An application that knows Mica only as it was installed. It works on a machine without any OpenCL device too. */
#include <mica/mica.h>
#include <stdio.h>

int main(void)
{
    mica_devices *found = mica_devices_find();
    if (!found)
        return 1;
    printf("mica %s\n", mica_version());
    mica_devices_destroy(found);
    return 0;
}
