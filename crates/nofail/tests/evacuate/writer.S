# A guest that writes for ever and checks itself: sector 64 + (n mod 128) is filled with n, after it
# was read and found to hold n - 128 throughout. What it found stands in sector 1: "OK!!" and n, or
# "BAD!" and n, upon which it halts. Loaded by the firmware at 0x7c00; 16 bits, BIOS disk services.
    .code16
    .intel_syntax noprefix
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    cld
    xor ebp, ebp
next:
    inc ebp
    mov eax, ebp
    and eax, 0x7f
    add eax, 64
    mov dword ptr [dap+8+0x7c00], eax
    mov ah, 0x42
    call disk
    mov eax, ebp
    sub eax, 0x80
    jnc 1f
    xor eax, eax
1:  mov di, 0x8000
    mov cx, 128
    repe scasd
    jne bad
    mov eax, ebp
    mov di, 0x8000
    mov cx, 128
    rep stosd
    mov ah, 0x43
    call disk
    test bp, 7
    jnz next
    mov eax, 0x21214b4f
    call status
    jmp next
bad:
    mov eax, 0x21444142
    call status
halt:
    hlt
    jmp halt
status:
    mov dword ptr [0x8000], eax
    mov dword ptr [0x8004], ebp
    mov dword ptr [dap+8+0x7c00], 1
    mov ah, 0x43
disk:
    mov al, 0
    mov si, offset dap+0x7c00
    mov dl, 0x80
    int 0x13
    jc halt
    ret
dap: .byte 0x10, 0
    .word 1, 0x8000, 0
    .long 0, 0
