# The library as a program that embeds it sees it: installed into a prefix, found with find_package
# and with pkg-config, every example built against it and run.
#   cmake -DSOURCE=... -DBUILD=... -DWORK=... -DCOMPILER=... -P examples.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
endfunction()

set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${prefix})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${SOURCE}/examples -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${prefix}
  -DRNN_EXAMPLE_DATA=${SOURCE})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build --output-on-failure)

file(GLOB_RECURSE pc ${prefix}/*/rnn.pc)
cmake_path(GET pc PARENT_PATH pc_folder)
execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder}
  pkg-config --cflags --libs rnn OUTPUT_VARIABLE flags RESULT_VARIABLE result
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "pkg-config does not find rnn in ${pc_folder}")
endif()
separate_arguments(flags)
run(${COMPILER} -std=c++20 -O1 ${SOURCE}/examples/beam_search.cc -o ${WORK}/by_pkg_config ${flags})
cmake_path(GET pc_folder PARENT_PATH libraries)
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${libraries}
  ${WORK}/by_pkg_config ${SOURCE}/tests/fixtures/language_model_1)
