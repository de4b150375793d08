/* Numbers as the shortest texts that stand for them. */
#include "json/keys.h"

#include <math.h>

double mi_json_number(float value)
{
    char text[40];
    for (int digits = 6; digits < 10; digits++) {
        mi_format(text, sizeof text, "%.*g", digits, (double)value);
        if ((float)mi_read_double(text, NULL) == value)
            break;
    }
    return mi_read_double(text, NULL);
}

static bool stands_for(const char *text, double number)
{
    double read = mi_read_double(text, NULL);
    return read >= number && read <= number;
}

struct mi_number_text mi_show_number(double number)
{
    struct mi_number_text out;
    bool exact = fabs(number) <= MI_MOST_WHOLE;
    int digits = 6;
    if (exact && number == floor(number)) {
        mi_format(out.text, sizeof out.text, "%.0f", number);
        return out;
    }
    do
        mi_format(out.text, sizeof out.text, "%.*g", digits, number);
    while (exact && !stands_for(out.text, number) && digits++ < 17);
    return out;
}
