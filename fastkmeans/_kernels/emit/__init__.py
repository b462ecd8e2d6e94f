"""What the micro-kernels share; they are emitted as vector IR.

simd      an emitter of instructions
dots      products of vectors and of codes
row       one row of the data, scaled and shifted
scratch   memory of a kernel
"""
