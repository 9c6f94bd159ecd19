// The part of bert::compiled that computes: the kernels of every instruction set.

#include <bert/kernels/dispatch.ipp>
