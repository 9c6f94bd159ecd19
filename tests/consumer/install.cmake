# Installs the headers alone: the tool is part of the build's default target, which this does not wait for.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}" --component headers
                COMMAND_ERROR_IS_FATAL ANY)
