#!/bin/sh
# Called by `esxcli %COMMAND% ...`. Prints XML with exactly the fields that esxcli.xml declares, or one line "ERROR: ...".

case "$1" in
get)
    cat <<XML
<?xml version="1.0"?>
<output xmlns="http://www.vmware.com/Products/ESX/5.0/esxcli/">
  <structure typeName="State">
    <field name="Release"><string>$(uname -r)</string></field>
  </structure>
</output>
XML
    ;;
*) echo "ERROR: unknown command" ;;
esac
