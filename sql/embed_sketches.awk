# Turns sketches.sql into C. Its first lines explain the format.
#   awk -v mode=header|source -f embed_sketches.awk sketches.sql

function finish_sketch() {
    if (name == "") return
    declarations = declarations "extern const struct sketch_line sketch_" name "[];\n"
    tables = tables "\nconst struct sketch_line sketch_" name "[] = {\n" lines "    {NULL, NULL, NULL},\n};\n"
    lines = ""
}

{ sub(/\r$/, ""); gsub(/\\/, "&&"); gsub(/"/, "\\\"") }

/^-- strategy: / { finish_sketch(); name = $3; next }
name == "" || /^[ \t]*$/ { next }
{
    at = index($0, " --@")
    if (at == 0) { begun = begun $0 "\\n"; next }
    steps = substr($0, at + 4)
    pauses = ""
    if (match(steps, /(^| )after /)) {
        pauses = substr(steps, RSTART + RLENGTH)
        steps = substr(steps, 1, RSTART - 1)
    }
    gsub(/^ +| +$/, "", steps)
    lines = lines "    {\"" begun substr($0, 1, at - 1) "\", \"" steps "\", \"" pauses "\"},\n"
    begun = ""
}

END {
    if (begun != "") { print "embed_sketches.awk: no --@ behind " begun > "/dev/stderr"; exit 1 }
    finish_sketch()
    print "// Generated from " FILENAME " by embed_sketches.awk."
    if (mode == "header") {
        print "// The sketches of the strategies: plain constants, any thread."
        print "#ifndef SQL_SKETCHES_H\n#define SQL_SKETCHES_H\n"
        print "struct sketch_line {"
        print "    const char *sql;    // NULL ends a sketch"
        print "    const char *steps;  // the steps of a record that it makes, separated by spaces"
        print "    const char *pauses; // the steps in which the lab stops the transfer before it"
        print "};\n"
        printf "%s", declarations
        print "\n#endif"
    } else {
        print "#include \"sql/sketches.h\"\n\n#include <stddef.h>"
        printf "%s", tables
    }
}
