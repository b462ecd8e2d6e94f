"""What the micro-kernels share; they are emitted as vector IR.

simd      widths of vectors, and an emitter of instructions
dots      products of vectors and of bytes
row       one row of the data, scaled and shifted
scratch   memory of a kernel
"""
