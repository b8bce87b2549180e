# Turns the .sql files of this folder into C.
#   awk -v mode=header|source|script|list-header|list [-v name=schema] -f embed.awk FILE
# header, source: statements.sql as an enum and a table of texts; script: a whole file as one string;
# list-header, list: a file of statements as the enum <name>_sql and the texts sql_<name>[].
# "-- part: x" begins a text that several statements end or begin with; a line "-- insert: x" stands for it.

function c_line(text) {
    gsub(/\\/, "&&", text) # awks differ in "\\\\", not in "&&"
    gsub(/"/, "\\\"", text)
    return "    \"" text "\\n\"\n"
}

function finish_statement() {
    if (statement == "") return
    if (mode ~ /^list/) {
        sub(/;\\n"\n$/, "\"\n", body)
        texts = texts "    [" toupper(name) "_" toupper(statement) "] =\n" body "    ,\n"
        names = names "    " toupper(name) "_" toupper(statement) ",\n"
        statement = ""
        body = ""
        return
    }
    sub(/;\\n"\n$/, "\"\n", body)
    texts = texts "    [STATEMENT_" toupper(statement) "] = {\"" statement "\", \"" operation "\", \"" table "\",\n" body "    },\n"
    names = names "    STATEMENT_" toupper(statement) ",\n"
    statement = ""
    body = ""
}

# A checkout made on Windows may have CRLF line ends; the program's SQL is the same.
{ sub(/\r$/, "") }

mode == "script" { body = body c_line($0); next }
/^-- part: / { finish_statement(); part = $3; next }
/^-- insert: / {
    if (!($3 in parts)) { print "embed.awk: no part " $3 " before line " NR > "/dev/stderr"; exit 1 }
    if (part != "") parts[part] = parts[part] parts[$3]; else body = body parts[$3]
    next
}
/^-- name: / { part = ""; finish_statement(); statement = $3; operation = $4; table = $5; next }
/^--/ || /^[ \t]*$/ { next }
part != "" { parts[part] = parts[part] c_line($0); next }
{ body = body c_line($0) }

END {
    print "// Generated from " FILENAME " by embed.awk."
    if (mode == "script") {
        printf "extern const char sql_%s[];\nconst char sql_%s[] =\n%s    ;\n", name, name, body
        exit
    }
    finish_statement()
    if (mode == "list-header") {
        print "// The statements of " FILENAME ": plain constants, any thread."
        print "#ifndef SQL_" toupper(name) "_H\n#define SQL_" toupper(name) "_H\n"
        print "enum " name "_sql {\n" names "    " toupper(name) "_SQL_COUNT\n};\n"
        print "extern const char *const sql_" name "[" toupper(name) "_SQL_COUNT];\n"
        print "#endif"
    } else if (mode == "list") {
        print "#include \"sql/" name ".h\"\n"
        print "const char *const sql_" name "[" toupper(name) "_SQL_COUNT] = {\n" texts "};"
    } else if (mode == "header") {
        print "// The statements of statements.sql: plain constants, any thread."
        print "#ifndef SQL_STATEMENTS_H\n#define SQL_STATEMENTS_H\n"
        print "enum statement {\n" names "    STATEMENT_COUNT\n};\n"
        print "struct statement_text {"
        print "    const char *name;      // as metrics and spans call it"
        print "    const char *operation; // SELECT, UPDATE, ..."
        print "    const char *table;     // or \"none\""
        print "    const char *sql;"
        print "};\n"
        print "extern const struct statement_text statement_texts[STATEMENT_COUNT];"
        print "extern const char sql_backend[];\nextern const char sql_schema[];\nextern const char sql_seed[];"
        print "extern const char sql_session[];\nextern const char sql_views[];\n"
        print "#endif"
    } else {
        print "#include \"sql/statements.h\"\n"
        print "const struct statement_text statement_texts[STATEMENT_COUNT] = {\n" texts "};"
    }
}
