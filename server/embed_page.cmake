# Turns the files of the page into C: their bytes with .incbin, as they are and
# compressed, and a table with the HTTP headers of each file.
#   cmake -D FOLDER=page -D OUTPUT=page_assets.c -D LAB_VERSION=1.2.3 -P embed_page.cmake
# Served names are flat: vendor/viewer.js is "vendor-viewer.js". In a JSON file, @LAB_VERSION@ is replaced by the
# version of the program, which is stated in CMakeLists.txt only.

set(TYPE_html "text/html; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_mjs "text/javascript; charset=utf-8")
set(TYPE_json "application/json")
set(TYPE_svg "image/svg+xml")
set(TYPE_png "image/png")
set(TYPE_ico "image/x-icon")
set(TYPE_woff2 "font/woff2")

file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT files)
set(bytes "")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
    string(REPLACE "/" "-" name ${file})
    string(REGEX MATCH "[^.]*$" extension ${file})
    set(type "text/plain; charset=utf-8")
    if(DEFINED TYPE_${extension})
        set(type "${TYPE_${extension}}")
    endif()
    set(source ${FOLDER}/${file})
    if(extension STREQUAL "json")
        set(source ${OUTPUT}.${name})
        configure_file(${FOLDER}/${file} ${source} @ONLY)
    endif()
    file(SIZE ${source} size)
    file(SHA256 ${source} hash)
    string(SUBSTRING ${hash} 0 32 tag)
    set(packed ${OUTPUT}.${name}.gz)
    file(ARCHIVE_CREATE OUTPUT ${packed} PATHS ${source} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9 MTIME 0)
    file(SIZE ${packed} packed_size)
    file(SHA256 ${packed} packed_hash)
    string(SUBSTRING ${packed_hash} 0 32 packed_tag)
    if(packed_size GREATER_EQUAL size)
        set(packed_size 0)
    endif()
    string(APPEND bytes
        "__asm__(\".section .rodata\\npage_asset_${number}:\\n.incbin \\\"${source}\\\"\\n.byte 0\\n\"\n"
        "        \"page_gzip_${number}:\\n.incbin \\\"${packed}\\\"\\n.previous\");\n"
        "extern const char page_asset_${number}[], page_gzip_${number}[];\n")
    string(APPEND rows
        "    {\"${name}\", \"${type}\", \"\\\"${tag}\\\"\", {page_asset_${number}, ${size}},\n"
        "     \"\\\"${packed_tag}\\\"\", {page_gzip_${number}, ${packed_size}}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT}
    "// Generated from the files of server/page by embed_page.cmake.\n"
    "#include \"server/assets/assets.h\"\n\n${bytes}\n"
    "const struct page_asset page_assets[] = {\n${rows}};\n"
    "const size_t page_asset_count = ${number};\n")
