// The parts of a test report in JUnit's XML that do not depend on what is tested.
#include "server/draw/draw.h"

void junit_append_attribute(struct text *out, const char *name, struct slice value) {
    text_append_format(out, " %s=\"", name);
    words_append_xml(out, value);
    text_append_string(out, "\"");
}

void junit_append_child(struct text *out, const char *element, struct slice message, struct slice body) {
    text_append_format(out, ">\n      <%s", element);
    junit_append_attribute(out, "message", message);
    text_append_string(out, ">");
    words_append_xml(out, body);
    text_append_format(out, "</%s>\n    </testcase>\n", element);
}
