# Installs headers and library alone: the tool is part of the build's default target, which this does not wait for.
file(REMOVE_RECURSE "${PREFIX}")
foreach(component IN ITEMS headers compiled)
    execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}" --component ${component}
                    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
